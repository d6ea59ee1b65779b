package emulator

import (
	"crypto/tls"
	"strings"
	"sync"

	"dpsfleet/provisioning"
)

// certificates answer a TLS handshake. A hub's is made when the first device
// asks for it, so that a cloud of fifty hubs starts as fast as one of two.
type certificates struct {
	authority *provisioning.Authority
	dps       func() (*tls.Certificate, error)
	hubs      map[string]func() (*tls.Certificate, error)
}

func newCertificates(authority *provisioning.Authority, dps, hubs []string) *certificates {
	c := &certificates{authority: authority, hubs: map[string]func() (*tls.Certificate, error){}}
	c.dps = c.issue(dps...)
	for _, hub := range hubs {
		c.hubs[strings.ToLower(hub)] = c.issue(hub)
	}
	return c
}

// issue makes a certificate for names on first use and keeps it.
func (c *certificates) issue(names ...string) func() (*tls.Certificate, error) {
	return sync.OnceValues(func() (*tls.Certificate, error) {
		cert, err := c.authority.Issue(names...)
		return &cert, err
	})
}

// config asks for TLS 1.2 or 1.3: DPS documents 1.2, new clients offer both. A
// client's certificate is asked for and not required, so that devices with a token
// pass; which one is good is the enrollments' to say, not the handshake's.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, ClientAuth: tls.RequestClientCert}
}

// get chooses by the server name. A client that dials an IP address sends none
// and gets DPS's.
func (c *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if issue, ok := c.hubs[strings.ToLower(hello.ServerName)]; ok {
		return issue()
	}
	return c.dps()
}
