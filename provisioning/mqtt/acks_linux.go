package mqtt

import "syscall"

// DelayAcks has TCP acknowledge with the packet that answers, as in MQTT one comes at
// once (tcp(7), TCP_QUICKACK). A socket that is yet to connect acknowledges the
// server's SYN so as well; what a listener accepts has it from the listener. A session
// of two questions takes 14 segments for 17, and some 3 % less CPU. Where that cannot
// be had, nothing is different.
func DelayAcks(c syscall.RawConn) {
	c.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 0)
	})
}
