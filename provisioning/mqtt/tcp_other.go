//go:build !linux

package mqtt

import (
	"net"
	"syscall"
)

// DelayAcks is for Linux.
func DelayAcks(syscall.RawConn) {}

func cork(net.Conn) {}
