package emulator

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

var (
	errOtherName = errors.New("the certificate's common name is not the registration id")
	errNoIssuer  = errors.New("no enrollment has the registration id, and no group's authority signed the certificate")
	errNotX509   = errors.New("the individual enrollment attests by another thing than a certificate")
)

// chainOf is the chain that the client brought to the TLS handshake, the leaf
// first. Go has checked that it has the leaf's key, and nothing more.
func chainOf(nc net.Conn) []*x509.Certificate {
	switch nc := nc.(type) {
	case *tls.Conn:
		return nc.ConnectionState().PeerCertificates
	case interface{ NetConn() net.Conn }: // a WebSocket
		return chainOf(nc.NetConn())
	}
	return nil
}

// byCertificate reports whether a device is judged by its certificate. One that
// sends a token as well is judged by that, unless set otherwise.
func (c *Cloud) byCertificate(password []byte, chain []*x509.Certificate) bool {
	return len(chain) > 0 && (len(password) == 0 || c.cfg.Undocumented.CertificateOverToken)
}

// attestX509 finds the enrollment of a device that came with a certificate: the
// individual one by its registration id, or else the group whose authority signed
// the chain (X.509 attestation).
func (c *Cloud) attestX509(user provisioning.DPSUser, chain []*x509.Certificate) identity {
	who := identity{registrationID: user.RegistrationID, certificate: chain[0]}
	record, individual := c.individuals.Get(provisioning.SameID(user.RegistrationID))
	switch {
	case !strings.EqualFold(chain[0].Subject.CommonName, user.RegistrationID):
		who.doubt = errOtherName
		return who
	case individual && record.Attestation.X509 == nil:
		who.enrollmentID, who.doubt = record.RegistrationID, errNotX509
	case individual:
		who.enrollmentID, who.x509 = record.RegistrationID, record.Attestation.X509
		who.doubt = who.x509.Accept(chain, time.Now())
	default:
		who.doubt = c.attestX509Group(&who, chain)
	}
	if individual && c.shutsOut(record) {
		who.doubt = nil
	}
	return who
}

func (c *Cloud) attestX509Group(who *identity, chain []*x509.Certificate) error {
	refused := errNoIssuer
	for _, g := range c.roster() {
		if g.Attestation.X509 == nil {
			continue
		}
		trust := c.resolved(*g.Attestation.X509)
		err := trust.Accept(chain, time.Now())
		if err == nil {
			who.enrollmentID, who.group, who.x509 = g.EnrollmentGroupID, true, &trust
			return nil
		}
		refused = fmt.Errorf("%w: group %q: %w", errNoIssuer, g.EnrollmentGroupID, err)
	}
	return refused
}

// resolved replaces the names of uploaded certificates by the certificates.
func (c *Cloud) resolved(trust provisioning.X509) provisioning.X509 {
	if trust.CA == nil {
		return trust
	}
	ca := provisioning.NewX509Certificates(c.cfg.CACertificates[trust.CA.Primary], c.cfg.CACertificates[trust.CA.Secondary])
	return provisioning.X509{Signing: ca}
}

// showProof tells a webhook how a device proved who it is. Every log of the
// service has symmetricKey {} and no keys in it, though the documents speak of
// keys there; of certificates there is no log.
func (c *Cloud) showProof(to *allocation.RuntimeContext, who *identity) {
	if who.certificate == nil {
		to.SymmetricKey = &struct{}{}
		return
	}
	to.X509 = &allocation.X509Context{ClientCertificate: who.certificate.Raw}
	if c.cfg.Undocumented.WebhookWithoutCertificate {
		to.X509.ClientCertificate = nil
	}
}

// attestation completes what a record brings to prove its devices: keys of 64
// bytes as the service makes them, and what certificates say.
func attestation(given provisioning.Attestation) provisioning.Attestation {
	if given.Type == provisioning.AttestX509 {
		if given.X509 != nil {
			given.X509 = given.X509.Completed()
		}
		return given
	}
	keys := &provisioning.SymmetricKey{}
	if given.SymmetricKey != nil {
		*keys = *given.SymmetricKey
	}
	if len(keys.Primary) == 0 {
		keys.Primary = provisioning.NewKey()
	}
	if len(keys.Secondary) == 0 {
		keys.Secondary = provisioning.NewKey()
	}
	return provisioning.Attestation{Type: provisioning.AttestSymmetricKey, SymmetricKey: keys}
}

// attestationMistakes are those of a record's proof. One without certificates
// gets some made.
func (e Enrollment) attestationMistakes() []error {
	a := e.Attestation
	switch cmp.Or(a.Type, provisioning.AttestSymmetricKey) {
	case provisioning.AttestTPM:
		return []error{fmt.Errorf("its attestation is %q: %s", a.Type, noTPM)}
	case provisioning.AttestX509:
		if a.SymmetricKey != nil {
			return []error{errors.New("it attests by certificate and has keys")}
		}
		if a.X509 == nil || e.Authority != nil {
			return nil
		}
		return []error{a.X509.Check(e.EnrollmentGroupID != "")}
	case provisioning.AttestSymmetricKey:
		if a.X509 != nil {
			return []error{fmt.Errorf("it has certificates; then its attestation is %q", provisioning.AttestX509)}
		}
		return e.keyMistakes()
	}
	return []error{fmt.Errorf("its attestation is %q, neither symmetricKey nor x509", a.Type)}
}

// noTPM is why a device with a TPM is refused. Over MQTT that is DPS's own limit,
// over HTTPS ours.
const noTPM = "DPS attests no TPM over MQTT, and this emulator none over HTTPS; use a symmetric key or an X.509 certificate"

// refuseTPM is the answer to a registration that brings a TPM's keys, nil for any
// other.
func refuseTPM(device provisioning.Registration) *provisioning.Error {
	if len(device.TPM) == 0 {
		return nil
	}
	return problem(401, provisioning.UnauthorizedAccess, "TPM attestation is not available: "+noTPM+".")
}
