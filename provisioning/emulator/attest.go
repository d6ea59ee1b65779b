package emulator

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"dpsfleet/provisioning"
)

// identity is who a connection has proved to be.
type identity struct {
	registrationID string // as in the user name; a derived key depends on its case
	enrollmentID   string
	group          bool
	keys           provisioning.SymmetricKey // the device's, for its hub
	// certificate is the one that the device was judged by, and x509 what its hub
	// is to hold such against; nil with a token.
	certificate *x509.Certificate
	x509        *provisioning.X509
	// doubt is why the credentials are not good; nil if they are.
	doubt error
}

// groupID is the enrollment group's that let a device in.
func (who identity) groupID() string {
	if who.group {
		return who.enrollmentID
	}
	return ""
}

var (
	errNoKey    = errors.New("the token is not signed with a key of the enrollment")
	errNoRecord = errors.New("no enrollment has the registration id, and no group's key made the key that signed the token")
)

// identify finds out who a device is, on either transport, by its token or by the
// chain that it brought to the TLS handshake, and logs why its credentials are not
// good.
func (c *Cloud) identify(user provisioning.DPSUser, password []byte, chain ...*x509.Certificate) identity {
	var who identity
	if c.byCertificate(password, chain) {
		who = c.attestX509(user, chain)
	} else {
		who = c.attest(user, password)
	}
	if who.doubt != nil {
		c.complain(slog.LevelInfo, "bad credentials", user.RegistrationID, "reason", who.doubt.Error())
	}
	return who
}

// attest finds the enrollment of a device: the individual one by its
// registration id, or else the group by trying whose key the device's was
// derived from. Nothing on the wire names the group (symmetric key attestation).
func (c *Cloud) attest(user provisioning.DPSUser, password []byte) identity {
	who := identity{registrationID: user.RegistrationID}
	token, doubt := provisioning.ParseToken(string(password))
	record, individual := c.individuals.Get(provisioning.SameID(user.RegistrationID))
	if individual {
		who.enrollmentID = record.RegistrationID
		if keys := record.Attestation.SymmetricKey; keys != nil {
			who.keys = *keys
		}
		if doubt == nil && !signed(token, who.keys) {
			doubt = errNoKey
		}
	}
	if !individual && doubt == nil {
		doubt = c.attestGroup(&who, token)
	}
	if doubt == nil {
		doubt = checkToken(token, user)
	}
	if individual && c.shutsOut(record) {
		doubt = nil
	}
	who.doubt = doubt
	return who
}

// shutsOut reports whether a record says disabled to whoever names it. The
// registration will be answered with disabled, so nothing is given away but that.
func (c *Cloud) shutsOut(record *provisioning.Enrollment) bool {
	return c.cfg.Undocumented.DisabledBeforeKey && record.Provisioning == provisioning.ProvisioningDisabled
}

// attestGroup tries each group with the registration id as it was written: DPS
// ignores its case elsewhere, but a key that was derived from another case is
// another key (symmetric key attestation, "Group enrollments").
func (c *Cloud) attestGroup(who *identity, token provisioning.Token) error {
	for _, g := range c.roster() {
		if g.primary == nil {
			continue
		}
		if keys := g.keys(who.registrationID); signed(token, keys) {
			who.enrollmentID, who.group, who.keys = g.EnrollmentGroupID, true, keys
			return nil
		}
	}
	return errNoRecord
}

// signed tries both keys of a pair; while keys are changed, devices have either.
func signed(token provisioning.Token, keys provisioning.SymmetricKey) bool {
	return token.SignedBy(keys.Primary) || token.SignedBy(keys.Secondary)
}

// checkToken checks what a token with a good signature says. The key name may
// be missing or empty: Python's and Java's SDKs send it so.
func checkToken(token provisioning.Token, user provisioning.DPSUser) error {
	switch {
	case !token.For(user.Resource()):
		return errors.New("the token is for another resource than the user name")
	case token.KeyName != "" && token.KeyName != provisioning.DPSKeyName:
		return errors.New("the token's skn is not registration")
	case !time.Now().Before(token.Expiry):
		return errors.New("the token has expired")
	}
	return nil
}

// enrollment is the record that let a device in, as it is now.
func (c *Cloud) enrollment(who *identity) (*provisioning.Enrollment, bool) {
	if who.group {
		return c.groups.Get(who.enrollmentID)
	}
	return c.individuals.Get(provisioning.SameID(who.enrollmentID))
}
