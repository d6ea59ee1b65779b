package emulator

import (
	"crypto/tls"
	"fmt"
	"time"

	"dpsfleet/provisioning"
)

// issuers make the certificates of devices whose enrollment the cloud has the
// keys of. They do not change after the start.
type issuers struct {
	groups      map[string]*provisioning.Authority // by group id
	individuals map[string]tls.Certificate         // by registration id, folded
}

// certify gives a record that attests by certificate what it does not bring: a
// group an authority, an individual enrollment the device's certificate.
func (c *Cloud) certify(e Enrollment) (Enrollment, error) {
	switch {
	case e.Attestation.Type != provisioning.AttestX509 || e.Attestation.X509 != nil && e.Authority == nil:
		return e, nil
	case e.EnrollmentGroupID != "":
		return c.certifyGroup(e)
	}
	made, err := c.selfSigned(e.RegistrationID)
	if err != nil {
		return e, err
	}
	leaf, err := provisioning.LeafOf(made)
	if err != nil {
		return e, err
	}
	c.issuers.individuals[provisioning.SameID(e.RegistrationID)] = made
	e.Attestation.X509 = &provisioning.X509{Client: provisioning.NewX509Certificates(leaf, provisioning.Certificate{})}
	return e, nil
}

func (c *Cloud) certifyGroup(e Enrollment) (Enrollment, error) {
	var err error
	if e.Authority == nil {
		e.Authority, err = c.authority("certificate authority of the group "+e.EnrollmentGroupID, e.EnrollmentGroupID)
	}
	if err != nil {
		return e, err
	}
	c.issuers.groups[e.EnrollmentGroupID] = e.Authority
	e.Attestation.X509 = &provisioning.X509{
		Signing: provisioning.NewX509Certificates(e.Authority.Certificate(), provisioning.Certificate{}),
	}
	return e, nil
}

// selfSigned is the certificate of a device that has an enrollment of its own.
func (c *Cloud) selfSigned(registrationID string) (tls.Certificate, error) {
	text, err := c.lasting("certificate of "+provisioning.SameID(registrationID), func() ([]byte, error) {
		made, err := provisioning.SelfSigned(registrationID, time.Now())
		if err != nil {
			return nil, err
		}
		chain, key, err := provisioning.PairPEM(made)
		return append(chain, key...), err
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(text, text)
}

// Certificate is the certificate of a device, with its key: one that a group's
// authority signs now, or that of an individual enrollment. The cloud must have
// made them, or been given the authority.
func (c *Cloud) Certificate(enrollmentID, registrationID string) (tls.Certificate, error) {
	if authority, ok := c.issuers.groups[enrollmentID]; ok {
		return authority.IssueClient(registrationID)
	}
	if made, ok := c.issuers.individuals[provisioning.SameID(enrollmentID)]; ok {
		return made, nil
	}
	return tls.Certificate{}, fmt.Errorf("the cloud has no private key for certificates of the enrollment %q", enrollmentID)
}
