package provisioning

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// X509 is what a record knows of its devices' certificates: an individual
// enrollment the device's own, a group the authority's that signs them.
type X509 struct {
	Client  *X509Certificates `json:"clientCertificates,omitempty"`
	Signing *X509Certificates `json:"signingCertificates,omitempty"`
	// CA names certificates that were uploaded to DPS.
	CA *X509References `json:"caReferences,omitempty"`
}

// X509Certificates are a pair of which either is taken, so that one can be rolled
// over while devices have the other.
type X509Certificates struct {
	Primary   *X509Certificate `json:"primary,omitempty"`
	Secondary *X509Certificate `json:"secondary,omitempty"`
}

// X509Certificate is one of them; Info is what it says, for readers.
type X509Certificate struct {
	Certificate Certificate `json:"certificate,omitzero"`
	Info        *X509Info   `json:"info,omitempty"`
}

// X509References are the names of a pair.
type X509References struct {
	Primary   string `json:"primary,omitempty"`
	Secondary string `json:"secondary,omitempty"`
}

// X509Info is X509CertificateInfo of the service's REST reference.
type X509Info struct {
	SubjectName string    `json:"subjectName"`
	SHA1        string    `json:"sha1Thumbprint"`
	SHA256      string    `json:"sha256Thumbprint"`
	IssuerName  string    `json:"issuerName"`
	NotBefore   Timestamp `json:"notBeforeUtc"`
	NotAfter    Timestamp `json:"notAfterUtc"`
	Serial      string    `json:"serialNumber"`
	Version     int       `json:"version"`
}

// NewX509Certificates is the pair of one certificate and, if there is one, its
// successor.
func NewX509Certificates(primary, secondary Certificate) *X509Certificates {
	return &X509Certificates{Primary: withInfo(primary), Secondary: withInfo(secondary)}
}

func withInfo(c Certificate) *X509Certificate {
	if c.IsZero() {
		return nil
	}
	info := c.Info()
	return &X509Certificate{Certificate: c, Info: &info}
}

// All are the certificates of the pair.
func (cs *X509Certificates) All() []Certificate {
	var all []Certificate
	if cs == nil {
		return nil
	}
	for _, c := range []*X509Certificate{cs.Primary, cs.Secondary} {
		if c != nil && !c.Certificate.IsZero() {
			all = append(all, c.Certificate)
		}
	}
	return all
}

// complete adds what the certificates say.
func (cs *X509Certificates) complete() *X509Certificates {
	if cs == nil {
		return nil
	}
	done := *cs
	for _, c := range []**X509Certificate{&done.Primary, &done.Secondary} {
		if *c != nil {
			*c = withInfo((*c).Certificate)
		}
	}
	return &done
}

// public leaves the certificates out.
func (cs *X509Certificates) public() *X509Certificates {
	shown := cs.complete()
	if shown == nil {
		return nil
	}
	for _, c := range []*X509Certificate{shown.Primary, shown.Secondary} {
		if c != nil {
			c.Certificate = Certificate{}
		}
	}
	return shown
}

// Completed is x with what its certificates say.
func (x X509) Completed() *X509 {
	x.Client, x.Signing = x.Client.complete(), x.Signing.complete()
	return &x
}

// Public is the attestation as the service's ordinary answers have it: without
// keys, and of certificates what they say.
func (a Attestation) Public() Attestation {
	shown := Attestation{Type: a.Type}
	if a.X509 != nil {
		shown.X509 = &X509{Client: a.X509.Client.public(), Signing: a.X509.Signing.public(), CA: a.X509.CA}
	}
	return shown
}

// Check says what is wrong with the certificates of a record, a group's or an
// individual enrollment's (X.509 attestation: a group has a CA's, an individual
// enrollment the leaf's).
func (x X509) Check(group bool) error {
	client, signing := len(x.Client.All()) > 0, len(x.Signing.All()) > 0
	switch {
	case group && client:
		return errors.New("clientCertificates are for individual enrollments; a group has signingCertificates or caReferences")
	case !group && (signing || x.CA != nil):
		return errors.New("signingCertificates and caReferences are for groups; an individual enrollment has clientCertificates")
	case signing && x.CA != nil:
		return errors.New("it has both signingCertificates and caReferences")
	case !client && !signing && x.CA == nil:
		return errors.New("it has no certificate")
	}
	for _, c := range x.Signing.All() {
		if !c.IsCA {
			return fmt.Errorf("the certificate of %q is not a certificate authority's", c.Subject)
		}
	}
	return nil
}

// Accept checks a chain as the TLS handshake brought it, the leaf first, and says
// why it is not one of the record's devices; nil if it is. Whether the leaf may be
// used for clients is not asked: no document demands it of devices.
func (x X509) Accept(chain []*x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return errors.New("the device brought no certificate")
	}
	leaf := chain[0]
	for _, known := range x.Client.All() {
		if known.Equal(leaf) {
			return inTime(leaf, now)
		}
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, ca := range x.Signing.All() {
		roots.AddCert(ca.Certificate)
	}
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

func inTime(leaf *x509.Certificate, now time.Time) error {
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return errors.New("the certificate has expired or is not valid yet")
	}
	return nil
}
