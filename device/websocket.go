package device

import (
	"context"
	"net"
	"strings"

	"dpsfleet/provisioning/wsnet"
)

// webSocketPath is where C, Node and Python reach DPS and hubs alike (hub over
// MQTT, "Use MQTT over WebSockets").
const webSocketPath = "/$iothub/websocket"

// The ports of Azure.
const (
	mqttPort      = "8883"
	webSocketPort = "443"
)

func (t *Target) hubPort() string {
	if t.WebSocket {
		return webSocketPort
	}
	return mqttPort
}

// upgrade makes nc a WebSocket, and closes it unless it became one.
func (l *life) upgrade(ctx context.Context, nc net.Conn, address, serverName string) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, l.by(l.limits.Answer))
	defer cancel()
	conn, err := wsnet.Client(ctx, nc, wsnet.Hello{
		Host: hostHeader(address, serverName), Path: webSocketPath, Protocol: "mqtt",
	})
	if err != nil {
		nc.Close()
		return nil, err
	}
	return conn, nil
}

// hostHeader names the server, not the gateway that leads to it, and the port
// only where it is not 443.
func hostHeader(address, serverName string) string {
	_, port, _ := net.SplitHostPort(address)
	if port != webSocketPort {
		return net.JoinHostPort(serverName, port)
	}
	if strings.Contains(serverName, ":") { // an IPv6 address
		return "[" + serverName + "]"
	}
	return serverName
}
