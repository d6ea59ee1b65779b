package mqtt_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dpsfleet/provisioning/mqtt"
)

func TestGoodbyeLeavesWithTheEndOfTheConnection(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "Plain", true: "TLS"}[secure], func(t *testing.T) {
			var came uint32
			for range 10 { // an acknowledgement may come late, and be counted too
				if came = segmentsOfGoodbye(t, secure); came == 1 {
					return
				}
			}
			t.Errorf("DISCONNECT and the end of the connection came in %d segments", came)
		})
	}
}

func segmentsOfGoodbye(t *testing.T, secure bool) uint32 {
	t.Helper()
	c, s := sockets(t)
	clientSide, serverSide := wrappers(t, secure)
	client, server := meet(t, clientSide(c), serverSide(s), mqtt.Connect{ClientID: "a"})
	before := segmentsIn(t, s)
	must(t, client.Disconnect())
	packet, err := server.Read(in(10 * time.Second))
	must(t, err)
	if packet.Kind != mqtt.DisconnectPacket {
		t.Fatalf("%s came", packet.Kind)
	}
	_, err = server.Read(in(10 * time.Second))
	if err == nil {
		t.Fatal("the connection goes on")
	}
	return segmentsIn(t, s) - before
}

// sockets returns both ends of a TCP connection.
func sockets(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	s, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func segmentsIn(t *testing.T, nc *net.TCPConn) uint32 {
	t.Helper()
	raw, err := nc.SyscallConn()
	must(t, err)
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	must(t, errors.Join(err, failed))
	return info.Segs_in
}
