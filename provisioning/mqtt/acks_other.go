//go:build !linux

package mqtt

import "syscall"

// DelayAcks is for Linux.
func DelayAcks(syscall.RawConn) {}
