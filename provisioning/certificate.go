package provisioning

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority is a certificate authority of our own. Its private key stays in
// memory, unless KeyPEM is asked for it.
type Authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	above [][]byte // what its certificates' chains have beside them, in DER
}

// clockSkew is how far a client's clock may be behind ours.
const clockSkew = time.Hour

// NewAuthority makes an authority that is valid for a year from now.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLen:            1, // for intermediates
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return newAuthority(template, nil)
}

// Intermediate makes an authority that a has signed, for as long as a is valid.
// The chains of its certificates hold its own.
func (a *Authority) Intermediate(name string) (*Authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             a.cert.NotBefore,
		NotAfter:              a.cert.NotAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	made, err := newAuthority(template, a)
	if err == nil {
		made.above = append([][]byte{made.cert.Raw}, a.above...)
	}
	return made, err
}

func newAuthority(template *x509.Certificate, by *Authority) (*Authority, error) {
	der, key, err := sign(template, by)
	if err != nil {
		return nil, fmt.Errorf("making the certificate authority %s: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making the certificate authority %s: %w", template.Subject.CommonName, err)
	}
	return &Authority{cert: cert, key: key}, nil
}

// Certificate is the authority's own.
func (a *Authority) Certificate() Certificate { return Certificate{a.cert} }

// PEM is the authority's certificate, for clients that are to trust it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// Issue makes a server's certificate for names, host names and IP addresses
// alike. It is ECDSA P-256: an RSA key would cost the server three times the
// CPU of each handshake.
func (a *Authority) Issue(names ...string) (tls.Certificate, error) {
	if len(names) == 0 {
		return tls.Certificate{}, errors.New("making a certificate: it needs a name")
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		NotBefore:   a.cert.NotBefore,
		NotAfter:    a.cert.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	der, key, err := sign(template, a)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the certificate of %s: %w", names[0], err)
	}
	return tls.Certificate{Certificate: append([][]byte{der}, a.above...), PrivateKey: key}, nil
}

// IssueClient makes a device's certificate. Its common name is the registration
// id, as DPS wants it (X.509 attestation).
func (a *Authority) IssueClient(registrationID string) (tls.Certificate, error) {
	der, key, err := sign(clientTemplate(registrationID, a.cert.NotBefore, a.cert.NotAfter), a)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the certificate of %s: %w", registrationID, err)
	}
	return tls.Certificate{Certificate: append([][]byte{der}, a.above...), PrivateKey: key}, nil
}

// SelfSigned makes a device's certificate that no authority has signed, valid for
// a year from now.
func SelfSigned(registrationID string, now time.Time) (tls.Certificate, error) {
	der, key, err := sign(clientTemplate(registrationID, now.Add(-clockSkew), now.AddDate(1, 0, 0)), nil)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the certificate of %s: %w", registrationID, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func clientTemplate(registrationID string, from, to time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: registrationID},
		NotBefore:   from,
		NotAfter:    to,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// sign makes a key and a certificate for it; without an authority it signs
// itself.
func sign(template *x509.Certificate, by *Authority) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	return der, key, err
}
