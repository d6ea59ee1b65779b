package emulator_test

import (
	"net"
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
	raw, err := accepted.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		at, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK)
		if err != nil || at != 0 {
			t.Errorf("TCP_QUICKACK is %d, %v", at, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func TestListenIsForTCPAlone(t *testing.T) {
	listener, err := emulator.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		protocol, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if err != nil || protocol != unix.IPPROTO_TCP {
			t.Errorf("it listens for protocol %d, %v; Multipath TCP is %d", protocol, err, unix.IPPROTO_MPTCP)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
