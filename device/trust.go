package device

import (
	"crypto/fips140"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"
)

// A chain that was found good is good for as long as its certificates are, but
// not for longer than trustFor, and not once more than trustAtMost were found.
const (
	trustFor    = time.Minute
	trustAtMost = 4096
)

// Trust remembers the certificates that servers were verified by, for a fleet of
// devices meets the same few again and again: over TLS 1.3 verifying them is a
// sixth of what a boot costs a device. That a server holds the certificate's key
// is proved in each handshake all the same. The zero value is ready; nil remembers
// nothing. One is for one pool of roots.
type Trust struct {
	good  sync.Map // chain to time.Time: good until then
	found atomic.Int32
}

// chain is the SHA-256 of a server's name and of the certificates it showed.
type chain [sha256.Size]byte

// Config is base for the server of that name. What base asks of a server, it asks
// too, with the same errors. Where base has sessions to resume, or ways of its own
// to verify, t is not asked.
func (t *Trust) Config(base *tls.Config, serverName string) *tls.Config {
	config := base.Clone()
	config.ServerName = serverName
	if t == nil || !alone(base) {
		return config
	}
	// crypto/tls has no other way to let somebody else verify.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		return t.verify(base, serverName, state.PeerCertificates)
	}
	return config
}

// alone says that crypto/tls verifies by roots and name alone. A session whose
// chain has expired since is not resumed by it, which is better than refused.
func alone(base *tls.Config) bool {
	return !base.InsecureSkipVerify && base.VerifyConnection == nil && base.VerifyPeerCertificate == nil &&
		base.ClientSessionCache == nil && !fips140.Enabled()
}

// verify takes the server's name from its caller: a tls.ConnectionState has none
// for an IP address.
func (t *Trust) verify(base *tls.Config, serverName string, shown []*x509.Certificate) error {
	now := time.Now()
	if base.Time != nil {
		now = base.Time()
	}
	key := chainOf(serverName, shown)
	if until, ok := t.good.Load(key); ok && now.Before(until.(time.Time)) {
		return nil
	}
	options := x509.VerifyOptions{Roots: base.RootCAs, CurrentTime: now, DNSName: serverName, Intermediates: x509.NewCertPool()}
	for _, c := range shown[1:] {
		options.Intermediates.AddCert(c)
	}
	chains, err := shown[0].Verify(options)
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: shown, Err: err}
	}
	until := now.Add(trustFor)
	for _, c := range chains[0] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	if t.found.Add(1) > trustAtMost {
		t.good.Clear()
		t.found.Store(1)
	}
	t.good.Store(key, until)
	return nil
}

func chainOf(serverName string, shown []*x509.Certificate) (key chain) {
	h := sha256.New()
	h.Write([]byte(serverName))
	for _, c := range shown {
		h.Write([]byte{0}) // in no name, and DER says its own length
		h.Write(c.Raw)
	}
	h.Sum(key[:0])
	return key
}
