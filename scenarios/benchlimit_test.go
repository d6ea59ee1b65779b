//go:build unix

package scenarios_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/scenarios"
)

// turn is how many bytes a client writes, and how many it then waits for.
type turn struct{ Ask, Answer int }

// limit is a bare loop: the handshake, the bytes and the round trips of a boot,
// and nothing that knows what they are about. No program can boot faster.
type limit struct {
	Secure bool
	Turns  []turn
}

// bootTurns is what a device of ours and a cloud of ours say to each other.
func bootTurns() []turn {
	config := benchScenario("").Config(benchKey(), nil)
	var memory memnet.Network
	config.Listen = memory.Listen
	cloud := startCloud(config)
	defer cloud.Close()
	heard := new(tape)
	target := device.Target{Endpoint: cloud.Addr(), IDScope: cloud.IDScope(), Version: "bench"}
	target.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := memory.Dial(ctx, network, address)
		heard.Conn = nc
		return heard, err
	}
	newBooter(target).boot(context.Background())
	return heard.turns
}

func startCloud(config emulator.Config) *emulator.Cloud {
	cloud, err := emulator.New(context.Background(), config)
	if err != nil {
		fail(err)
	}
	return cloud
}

// tape counts what goes over a connection, turn by turn.
type tape struct {
	net.Conn
	turns []turn
}

func (t *tape) Write(p []byte) (int, error) {
	if n := len(t.turns); n == 0 || t.turns[n-1].Answer > 0 {
		t.turns = append(t.turns, turn{})
	}
	t.turns[len(t.turns)-1].Ask += len(p)
	return t.Conn.Write(p)
}

func (t *tape) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.turns[len(t.turns)-1].Answer += n
	return n, err
}

// boots makes the client's side at an address; it remembers chains as our devices do.
func (l limit) boots(address string, config *tls.Config) func(n int) error {
	var trust device.Trust
	return func(n int) error {
		config := config
		if config != nil {
			config = trust.Config(config, config.ServerName)
		}
		return repeat(n, func() error {
			nc, err := net.Dial("tcp", address)
			if err == nil {
				err = l.boot(nc, config)
			}
			return err
		})
	}
}

// boot is the client's side of it.
func (l limit) boot(nc net.Conn, config *tls.Config) error {
	defer func() { nc.Close() }()
	if config != nil {
		secured := tls.Client(nc, config)
		nc = secured
		if err := secured.Handshake(); err != nil {
			return err
		}
	}
	var buf [4096]byte
	for _, t := range l.Turns {
		if _, err := nc.Write(buf[:t.Ask]); err != nil {
			return err
		}
		if _, err := io.ReadFull(nc, buf[:t.Answer]); err != nil {
			return err
		}
	}
	return nil
}

// accept is the server's.
func (l limit) accept(listener net.Listener) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			return
		}
		go l.serve(nc)
	}
}

func (l limit) serve(nc net.Conn) {
	defer nc.Close()
	var buf [4096]byte
	for _, t := range l.Turns {
		if _, err := io.ReadFull(nc, buf[:t.Ask]); err != nil {
			return
		}
		if _, err := nc.Write(buf[:t.Answer]); err != nil {
			return
		}
	}
}

// serveLimit is the server in a process of its own.
func serveLimit() {
	var l limit
	readAsked(&l)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	at := place{Address: listener.Addr().String()}
	if l.Secure {
		authority, err := provisioning.NewAuthority("bench", time.Now())
		if err != nil {
			fail(err)
		}
		certificate, err := authority.Issue("global.azure-devices-provisioning.net", "*.azure-devices-provisioning.net", "localhost", "127.0.0.1", "::1")
		if err != nil {
			fail(err)
		}
		at.CA = authority.PEM()
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert})
	}
	defer scenarios.CollectLess(0)()
	go l.accept(listener)
	say(at)
	sayUsage()
}
