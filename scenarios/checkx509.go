package scenarios

import "dpsfleet/provisioning"

// proof is what a PEM file of a scenario holds.
type proof struct {
	certificate provisioning.Certificate
	authority   *provisioning.Authority // nil without its private key
}

// attestation checks how the devices of an enrollment prove who they are.
func (c *checker) attestation(at string, e Enrollment, group bool) {
	byCertificate := e.Attestation == provisioning.AttestX509
	switch {
	case e.Attestation == provisioning.AttestTPM:
		c.add(at+"/attestation", "DPS attests no TPM over MQTT, and dpsfleet none at all; say symmetricKey or x509")
	case byCertificate && (e.PrimaryKey != nil || e.SecondaryKey != nil):
		c.add(at, "x509 attests by certificate, and there is a key as well")
	case !byCertificate && (e.CA != "" || e.Certificate != ""):
		c.add(at, "a certificate needs attestation: x509")
	case group && e.Certificate != "":
		c.add(at+"/certificate", "is an individual enrollment's; a group has a ca, which signs its devices' certificates")
	case !group && e.CA != "":
		c.add(at+"/ca", "is a group's; an individual enrollment has the certificate of its device")
	}
	c.loadProof(at+"/ca", e.CA, true)
	c.loadProof(at+"/certificate", e.Certificate, false)
}

// loadProof reads a certificate, an authority's with its key if that is there.
func (c *checker) loadProof(at, file string, authority bool) {
	if file == "" {
		return
	}
	text, err := c.read(file)
	if err != nil {
		c.add(at, "the file cannot be read: %s", err)
		return
	}
	var p proof
	if p.certificate, err = provisioning.ParseCertificate(string(text)); err == nil && authority && provisioning.HasKey(text) {
		p.authority, err = provisioning.ParseAuthority(text)
	}
	switch {
	case err != nil:
		c.add(at, "%s", err)
	case authority && !p.certificate.IsCA:
		c.add(at, "the certificate of %q is not a certificate authority's", p.certificate.Subject)
	}
	c.s.proofs[file] = p
}

// certificateOf checks which certificates a fleet brings.
func (c *checker) certificateOf(at string, f Fleet) {
	if f.Certificate == "" || c.s.Cloud == nil {
		return
	}
	if !c.s.Cloud.certified() {
		c.add(at+"/certificate", "no enrollment has attestation: x509")
	}
}
