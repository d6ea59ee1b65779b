package provisioning

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// KeyPEM is the authority's private key. It is the secret itself.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.key) }

// ParseAuthority reads an authority from PEM that holds its certificate and its
// ECDSA key, as PEM and KeyPEM write them.
func ParseAuthority(text []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		// Not quoted: what is wrong may be in the key.
		return nil, errors.New("reading a certificate authority: the PEM holds no certificate with its private key")
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("reading a certificate authority: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !cert.IsCA {
		return nil, fmt.Errorf("reading a certificate authority: %q is not one with an ECDSA key", cert.Subject)
	}
	made := &Authority{cert: cert, key: key}
	if cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		made.above = pair.Certificate // an intermediate, which its chains need
	}
	return made, nil
}

// LeafOf is the certificate of a pair without the chain above it.
func LeafOf(c tls.Certificate) (Certificate, error) {
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return Certificate{}, fmt.Errorf("reading a certificate: %w", err)
	}
	return Certificate{leaf}, nil
}

// HasKey reports whether PEM holds a private key beside its certificates.
func HasKey(text []byte) bool { return firstBlock(text, "PRIVATE KEY") != nil }

// PairPEM is a certificate with its chain, and its private key, for the files of
// clients that are not ours. The key is the secret itself.
func PairPEM(c tls.Certificate) (chain, key []byte, err error) {
	var out bytes.Buffer
	for _, der := range c.Certificate {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	key, err = keyPEM(c.PrivateKey)
	return out.Bytes(), key, err
}

func keyPEM(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("writing a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
