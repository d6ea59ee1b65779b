package emulator_test

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"dpsfleet/provisioning/emulator"
)

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
