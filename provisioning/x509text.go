package provisioning

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Certificate is a certificate in a record: the base64 of its DER, as PEM has it
// between its two lines. Both are read.
type Certificate struct{ *x509.Certificate }

// ParseCertificate reads one from PEM or from base64. Of several in PEM the first
// counts.
func ParseCertificate(text string) (Certificate, error) {
	der, err := derOf(strings.TrimSpace(text))
	if err != nil {
		return Certificate{}, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, fmt.Errorf("reading a certificate: %w", err)
	}
	return Certificate{c}, nil
}

func derOf(text string) ([]byte, error) {
	if !strings.Contains(text, "-----BEGIN") {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("reading a certificate: it is neither PEM nor base64")
		}
		return der, nil
	}
	block := firstBlock([]byte(text), "CERTIFICATE")
	if block == nil {
		return nil, errors.New("reading a certificate: there is none in the PEM")
	}
	return block, nil
}

// firstBlock is the content of the first PEM block whose type ends so; nil if
// there is none.
func firstBlock(data []byte, kind string) []byte {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil
		}
		if strings.HasSuffix(block.Type, kind) {
			return block.Bytes
		}
	}
}

// IsZero reports whether there is no certificate.
func (c Certificate) IsZero() bool { return c.Certificate == nil }

// MarshalText writes base64, UnmarshalText reads PEM too; no text is none.
func (c Certificate) MarshalText() ([]byte, error) {
	if c.IsZero() {
		return nil, nil
	}
	return []byte(base64.StdEncoding.EncodeToString(c.Raw)), nil
}

func (c *Certificate) UnmarshalText(text []byte) (err error) {
	if *c = (Certificate{}); len(text) > 0 {
		*c, err = ParseCertificate(string(text))
	}
	return err
}

// Info is what the certificate says. Thumbprints are in capitals, as Azure shows
// them.
func (c Certificate) Info() X509Info {
	return X509Info{
		SubjectName: c.Subject.String(),
		SHA1:        fmt.Sprintf("%X", sha1.Sum(c.Raw)),
		SHA256:      fmt.Sprintf("%X", sha256.Sum256(c.Raw)),
		IssuerName:  c.Issuer.String(),
		NotBefore:   Timestamp{c.NotBefore},
		NotAfter:    Timestamp{c.NotAfter},
		Serial:      fmt.Sprintf("%X", c.SerialNumber),
		Version:     c.Version,
	}
}
