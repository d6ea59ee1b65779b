package emulator

import (
	"errors"
	"time"

	"dpsfleet/provisioning"
)

// identity is who a connection has proved to be.
type identity struct {
	registrationID string // as in the user name; a derived key depends on its case
	enrollmentID   string
	group          bool
	keys           provisioning.SymmetricKey // the device's, for its hub
	// doubt is why the credentials are not good; nil if they are.
	doubt error
}

var (
	errNoKey    = errors.New("the token is not signed with a key of the enrollment")
	errNoRecord = errors.New("no enrollment has the registration id, and no group's key made the key that signed the token")
)

// attest finds the enrollment of a device: the individual one by its
// registration id, or else the group by trying whose key the device's was
// derived from. Nothing on the wire names the group (symmetric key attestation).
func (c *Cloud) attest(user provisioning.DPSUser, password []byte) identity {
	who := identity{registrationID: user.RegistrationID}
	token, doubt := provisioning.ParseToken(string(password))
	record, individual := c.individuals.Get(provisioning.SameID(user.RegistrationID))
	if individual {
		who.enrollmentID, who.keys = record.RegistrationID, *record.Attestation.SymmetricKey
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
	// The registration will be answered with disabled, so nothing is given away
	// but that.
	if individual && c.cfg.Undocumented.DisabledBeforeKey && record.Provisioning == provisioning.ProvisioningDisabled {
		doubt = nil
	}
	who.doubt = doubt
	return who
}

// attestGroup tries each group with the registration id as it was written: DPS
// ignores its case elsewhere, but a key that was derived from another case is
// another key (symmetric key attestation, "Group enrollments").
func (c *Cloud) attestGroup(who *identity, token provisioning.Token) error {
	for _, group := range c.sortedGroups() {
		keys := provisioning.SymmetricKey{
			Primary:   group.Attestation.SymmetricKey.Primary.Derive(who.registrationID),
			Secondary: group.Attestation.SymmetricKey.Secondary.Derive(who.registrationID),
		}
		if signed(token, keys) {
			who.enrollmentID, who.group, who.keys = group.EnrollmentGroupID, true, keys
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
func (c *Cloud) enrollment(who identity) (provisioning.Enrollment, bool) {
	if who.group {
		return c.groups.Get(who.enrollmentID)
	}
	return c.individuals.Get(provisioning.SameID(who.enrollmentID))
}
