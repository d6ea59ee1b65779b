package hub

import (
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// prove checks what a client brought to prove that it is the device: the chain of
// its TLS handshake where the hub knows it by certificates, or else a token. It
// returns when that ends; a certificate is looked at once, and a connection does
// not end with it.
func (d Device) prove(user provisioning.HubUser, password []byte, chain []*x509.Certificate) (time.Time, error) {
	if d.X509 != nil {
		return time.Time{}, d.proveX509(chain)
	}
	token, err := provisioning.ParseToken(string(password))
	switch {
	case err != nil:
		return time.Time{}, err
	case !token.For(user.Resource()):
		return time.Time{}, errors.New("the token is for another resource")
	case !token.SignedBy(d.Keys.Primary) && !token.SignedBy(d.Keys.Secondary):
		return time.Time{}, errors.New("the token is not signed with a key of the device")
	case !time.Now().Before(token.Expiry):
		return time.Time{}, errExpired
	}
	return token.Expiry, nil
}

// proveX509 takes the device's own certificate, or one with its name that the
// group's authority signed: of such there is one for each device of the group.
func (d Device) proveX509(chain []*x509.Certificate) error {
	if err := d.X509.Accept(chain, time.Now()); err != nil {
		return err
	}
	if d.X509.Signing != nil && !strings.EqualFold(chain[0].Subject.CommonName, d.RegistrationID) {
		return errors.New("the certificate is another device's")
	}
	return nil
}
