package scenarios_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

// What devices offer in the handshake: the versions of the scenario, and the key
// exchange of Microsoft's SDKs, which know no post-quantum one.
func TestTLSBounds(t *testing.T) {
	tests := []struct {
		name   string
		bounds scenarios.TLS
		want   uint16
	}{
		{"BothByDefault", scenarios.TLS{}, tls.VersionTLS13},
		{"AtMost12", scenarios.TLS{Max: "1.2"}, tls.VersionTLS12},
		{"AtLeast13", scenarios.TLS{Min: "1.3"}, tls.VersionTLS13},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, roots := handshakes(t)
			s := read(t, oneToaster)
			s.TLS = test.bounds
			s.Limits.Boot = scenarios.Duration(200 * time.Millisecond)
			s.Target = &scenarios.Target{DPS: server.addr, IDScope: "0ne1", GroupKey: provisioning.NewKey(), RootCAs: roots}
			s.Cloud = nil
			if _, err := scenarios.Run(t.Context(), s, scenarios.Env{}); err != nil {
				t.Fatal(err)
			}
			got := <-server.seen
			if got.Version != test.want || got.CurveID != tls.X25519 {
				t.Errorf("negotiated %s with %s, want %s with %s", tls.VersionName(got.Version), got.CurveID, tls.VersionName(test.want), tls.X25519)
			}
		})
	}
}

type handshakeServer struct {
	addr string
	seen chan tls.ConnectionState
}

// handshakes is a server that makes one handshake, tells of it, and hangs up on
// everybody.
func handshakes(t *testing.T) (handshakeServer, []byte) {
	t.Helper()
	authority, err := provisioning.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := authority.Issue("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	server := handshakeServer{addr: l.Addr().String(), seen: make(chan tls.ConnectionState, 1)}
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			secured := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}})
			if secured.HandshakeContext(t.Context()) == nil {
				select {
				case server.seen <- secured.ConnectionState():
				default:
				}
			}
			nc.Close()
		}
	}()
	return server, authority.PEM()
}
