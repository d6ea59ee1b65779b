package emulator

import (
	"context"
	"net"

	"dpsfleet/provisioning/mqtt"
)

// Listen is the operating system's network as devices are served on it: without TCP's
// keep-alive, as they have MQTT's. Four of the system calls of a connection were for
// it, and a probe every 15 s to each device that is held. And it is TCP, not Multipath
// TCP, which Go listens for by itself and no device of ours asks for.
func Listen(network, address string) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), network, address)
	if tcp, ok := listener.(*net.TCPListener); ok {
		if c, err := tcp.SyscallConn(); err == nil {
			mqtt.DelayAcks(c) // now, as to listen forgets it
		}
	}
	return listener, err
}

// keepAlive switches TCP's on, for a client that has switched MQTT's off
// [MQTT-3.1.2-24]: that it has gone nobody would notice otherwise.
func keepAlive(nc net.Conn) error {
	if tcp := mqtt.Beneath(nc); tcp != nil {
		return tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
	}
	return nil
}
