package mqtt

import "net"

// Beneath is the TCP connection that carries nc, be it itself or under TLS or a
// WebSocket; nil if there is none, as in memory.
func Beneath(nc net.Conn) *net.TCPConn {
	for {
		switch c := nc.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }:
			nc = c.NetConn()
		default:
			return nil
		}
	}
}
