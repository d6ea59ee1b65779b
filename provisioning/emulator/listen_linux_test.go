package emulator_test

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dpsfleet/provisioning/emulator"
)

func TestAcceptedConnectionsDelayAcknowledgements(t *testing.T) {
	listener, err := emulator.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	nc, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if on := option(t, accepted.(*net.TCPConn), unix.IPPROTO_TCP, unix.TCP_QUICKACK); on != 0 {
		t.Errorf("TCP_QUICKACK is %d", on)
	}
}

func TestListenIsForTCPAlone(t *testing.T) {
	listener, err := emulator.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if protocol := option(t, listener.(*net.TCPListener), unix.SOL_SOCKET, unix.SO_PROTOCOL); protocol != unix.IPPROTO_TCP {
		t.Errorf("it listens for protocol %d; Multipath TCP is %d", protocol, unix.IPPROTO_MPTCP)
	}
}

// option is a socket's, as the kernel has it.
func option(t *testing.T, socket syscall.Conn, level, name int) (value int) {
	t.Helper()
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { value, failed = unix.GetsockoptInt(int(fd), level, name) }); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return value
}
