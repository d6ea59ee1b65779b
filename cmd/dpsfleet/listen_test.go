package main

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestAPortThatCannotBeHadIsExplained(t *testing.T) {
	for cause, want := range map[syscall.Errno]string{
		syscall.EACCES:     "setcap cap_net_bind_service=+ep",
		syscall.EADDRINUSE: "choose another port with --https",
	} {
		err := listenError("--https", &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", cause)})
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--https") {
			t.Errorf("%v: %v", cause, err)
		}
	}
}
