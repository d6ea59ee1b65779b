package emulator

import (
	"crypto/sha256"

	"dpsfleet/provisioning"
)

// declaration is what the state file knows of an enrollment of Config: a digest of
// how it was declared, and the URL at which its policy was served.
type declaration struct {
	Digest    []byte
	PolicyURL string
}

// stands reports whether an enrollment of Config was declared just so in an
// earlier life of the cloud. Then it is as back ends have left it since, changed
// or deleted; only the URL of a policy of ours is new.
func (c *Cloud) stands(e Enrollment, policyURL string) (bool, error) {
	if c.state == nil {
		return false, nil
	}
	digest, err := e.digest()
	if err != nil {
		return false, err
	}
	earlier, known := c.declared.Get(e.declaredAs())
	c.declared.Put(e.declaredAs(), declaration{digest, policyURL})
	if !known || string(earlier.Digest) != string(digest) {
		return false, nil
	}
	if policyURL != "" {
		c.repoint(e, earlier.PolicyURL, policyURL)
	}
	return true, nil
}

func (e Enrollment) declaredAs() string {
	if e.RegistrationID != "" {
		return "individual " + keyOf(e.Enrollment)
	}
	return "group " + e.EnrollmentGroupID
}

func (e Enrollment) digest() ([]byte, error) {
	record, err := e.Enrollment.JSON()
	if err != nil {
		return nil, err
	}
	policy, err := provisioning.Marshal(e.Policy)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, part := range [][]byte{record, policy, []byte(e.FunctionKey)} {
		h.Write(part)
		h.Write([]byte{0})
	}
	return h.Sum(nil), nil
}

// repoint changes the URL of a policy that the cloud serves itself, unless a back
// end has named another webhook.
func (c *Cloud) repoint(e Enrollment, from, to string) {
	c.change(c.tableOf(e.Enrollment), keyOf(e.Enrollment), func(old *provisioning.Enrollment) *provisioning.Enrollment {
		if old == nil || old.CustomAllocation == nil || old.CustomAllocation.WebhookURL != from {
			return old
		}
		changed, definition := *old, *old.CustomAllocation
		definition.WebhookURL = to
		changed.CustomAllocation = &definition
		return &changed
	})
}

func (c *Cloud) tableOf(e provisioning.Enrollment) *records {
	if e.RegistrationID != "" {
		return &c.individuals
	}
	return &c.groups
}
