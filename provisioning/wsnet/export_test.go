package wsnet

import "net"

// Ends are both ends of a WebSocket without the handshake.
func Ends(client, server net.Conn) (*Conn, *Conn) {
	return &Conn{nc: client, client: true}, &Conn{nc: server}
}

// ServerOf is a server's end of nc.
func ServerOf(nc net.Conn) *Conn { return &Conn{nc: nc} }
