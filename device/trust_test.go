package device_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

func authority(t *testing.T, expires time.Duration) *provisioning.Authority {
	t.Helper()
	a, err := provisioning.NewAuthority("test", time.Now().AddDate(-1, 0, 0).Add(expires))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *provisioning.Authority, names ...string) *tls.Certificate {
	t.Helper()
	c, err := a.Issue(names...)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// roots count in verified how often a chain that leads to them was verified.
func roots(t *testing.T, a *provisioning.Authority, verified *int) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCertWithConstraint(a.Certificate().Certificate, func([]*x509.Certificate) error { *verified++; return nil })
	return pool
}

// shake is what the client's end of a handshake says.
func shake(client *tls.Config, shown *tls.Certificate) (tls.ConnectionState, error) {
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		config := &tls.Config{Certificates: []tls.Certificate{*shown}}
		config.SetSessionTicketKeys([][32]byte{{1}}) // as one server has them
		server := tls.Server(far, config)
		server.Handshake()
		server.Write([]byte{0}) // the client reads a ticket before it
		far.Close()
	}()
	conn := tls.Client(near, client)
	err := conn.Handshake()
	if err == nil {
		conn.Read(make([]byte, 1))
	}
	near.Close()
	<-served
	return conn.ConnectionState(), err
}

func said(err error) string { return fmt.Sprintf("%T: %v", err, err) }

// Whatever crypto/tls says of a server, a trust says, when it meets the server
// first and when it meets it again.
func TestTrustSaysWhatGoSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified int
		ours, others, old := authority(t, time.Hour), authority(t, time.Hour), authority(t, -time.Second)
		under, err := ours.Intermediate("under")
		if err != nil {
			t.Fatal(err)
		}
		orphan := issue(t, under, hubName)
		orphan.Certificate = orphan.Certificate[:1]
		young, err := provisioning.NewAuthority("test", time.Now().AddDate(0, 1, 0))
		if err != nil {
			t.Fatal(err)
		}
		trust := make(map[*provisioning.Authority]*device.Trust)
		for _, test := range []struct {
			name   string
			known  *provisioning.Authority
			shown  *tls.Certificate
			server string
			good   bool
		}{
			{"ItsName", ours, issue(t, ours, hubName), hubName, true},
			{"ItsAddress", ours, issue(t, ours, "127.0.0.1"), "127.0.0.1", true},
			{"UnderAnIntermediate", ours, issue(t, under, hubName), hubName, true},
			{"Wildcard", ours, issue(t, ours, "*.azure-devices.net"), hubName, true},
			{"AnotherName", ours, issue(t, ours, hubName), "other.azure-devices.net", false},
			{"AnotherAddress", ours, issue(t, ours, "127.0.0.1"), "127.0.0.2", false},
			{"AnotherAuthority", ours, issue(t, others, hubName), hubName, false},
			{"NoIntermediate", ours, orphan, hubName, false},
			{"Expired", old, issue(t, old, hubName), hubName, false},
			{"NotYetValid", young, issue(t, young, hubName), hubName, false},
		} {
			base := device.TLS(roots(t, test.known, &verified))
			if trust[test.known] == nil {
				trust[test.known] = new(device.Trust)
			}
			_, want := shake((*device.Trust)(nil).Config(base, test.server), test.shown)
			if (want == nil) != test.good {
				t.Fatalf("%s: crypto/tls says %v", test.name, want)
			}
			for range 2 {
				if _, got := shake(trust[test.known].Config(base, test.server), test.shown); said(got) != said(want) {
					t.Errorf("%s: %s, want %s", test.name, said(got), said(want))
				}
			}
		}
	})
}

func TestTrustVerifiesAChainOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified int
		var trust device.Trust
		ours := authority(t, 90*time.Second)
		base, start := device.TLS(roots(t, ours, &verified)), time.Now()
		first, second := issue(t, ours, hubName, "a.example"), issue(t, ours, hubName)
		for _, step := range []struct {
			at       time.Duration
			server   string
			shown    *tls.Certificate
			verified int
			good     bool
		}{
			{0, hubName, first, 1, true},
			{59 * time.Second, hubName, first, 1, true},
			{59 * time.Second, "a.example", first, 2, true},
			{59 * time.Second, hubName, second, 3, true},
			{60 * time.Second, hubName, first, 4, true},
			{89 * time.Second, hubName, first, 4, true},
			{90*time.Second + 1, hubName, first, 4, false}, // expired
		} {
			time.Sleep(step.at - time.Since(start))
			_, err := shake(trust.Config(base, step.server), step.shown)
			if verified != step.verified || (err == nil) != step.good {
				t.Errorf("after %s %s was verified %d times in all, want %d: %v", step.at, step.server, verified, step.verified, err)
			}
		}
	})
}

// A session that is resumed was verified when it was new.
func TestTrustLeavesSessionsToGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified int
		var trust device.Trust
		ours := authority(t, time.Hour)
		base, shown := device.TLS(roots(t, ours, &verified)), issue(t, ours, hubName)
		base.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for _, resumed := range []bool{false, true} {
			state, err := shake(trust.Config(base, hubName), shown)
			if err != nil || state.DidResume != resumed || verified != 1 {
				t.Errorf("resumed: %t, want %t, verified %d times: %v", state.DidResume, resumed, verified, err)
			}
			time.Sleep(2 * time.Minute)
		}
	})
}
