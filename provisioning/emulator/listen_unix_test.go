//go:build unix

package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"syscall"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/mqtt"
)

func TestTCPsKeepAliveIsForClientsWithoutMQTTs(t *testing.T) {
	for name, c := range map[string]struct {
		secure    bool
		keepAlive time.Duration
		want      bool
	}{
		"MQTT's":                 {false, 3 * time.Minute, false},
		"neither":                {false, 0, true},
		"MQTT's, over TLS":       {true, 3 * time.Minute, false},
		"neither, which has TLS": {true, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			accepted := make(chan *net.TCPConn, 1)
			cfg := contoso(t)
			cfg.TLS = c.secure
			cfg.Listen = func(network, address string) (net.Listener, error) {
				listener, err := emulator.Listen(network, address)
				return watched{listener, accepted}, err
			}
			cloud, err := emulator.New(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer cloud.Close()
			nc, err := net.Dial("tcp", cloud.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if c.secure {
				roots := x509.NewCertPool()
				roots.AppendCertsFromPEM(cloud.CA())
				nc = tls.Client(nc, &tls.Config{RootCAs: roots, ServerName: "localhost"})
			}
			conn := mqtt.New(context.Background(), nc, mqtt.Options{})
			defer conn.Close()
			user := provisioning.DPSUser{IDScope: scope, RegistrationID: toaster, APIVersion: provisioning.DPSAPIVersion}
			hello := mqtt.Connect{ClientID: toaster, Username: user.String(), CleanSession: true, KeepAlive: c.keepAlive}
			if err := conn.Connect(hello, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if got := probed(t, <-accepted); got != c.want {
				t.Errorf("TCP's keep-alive: %t, want %t", got, c.want)
			}
		})
	}
}

// watched tells of what it accepts.
type watched struct {
	net.Listener
	accepted chan<- *net.TCPConn
}

func (w watched) Accept() (net.Conn, error) {
	nc, err := w.Listener.Accept()
	if tcp, ok := nc.(*net.TCPConn); ok {
		w.accepted <- tcp
	}
	return nc, err
}

func probed(t *testing.T, nc *net.TCPConn) bool {
	t.Helper()
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var on int
	var failed error
	if err := raw.Control(func(fd uintptr) {
		on, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
	}); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return on != 0
}
