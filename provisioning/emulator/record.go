package emulator

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/rest"
	"dpsfleet/provisioning/emulator/store"
)

// records are enrollments by id. Nobody changes one that is in there: one that is
// changed is another one. So whoever serves a device reads it without a copy.
type records = store.Table[*provisioning.Enrollment]

// change stores what becomes of a record. Old is nil if there is none, and so is
// what is returned if there is to be none any more.
func (c *Cloud) change(table *records, key string, become func(old *provisioning.Enrollment) *provisioning.Enrollment) {
	table.Update(key, func(old *provisioning.Enrollment, _ bool) (*provisioning.Enrollment, bool) {
		next := become(old)
		return next, next != nil
	})
	c.groupRoster.changes.Add(1)
}

// putRecord makes or replaces an enrollment, as a back end asks for it.
func (c *Cloud) putRecord(e provisioning.Enrollment, only rest.Condition) (provisioning.Enrollment, error) {
	e.Attestation = unshown(e.Attestation)
	if err := c.objectionTo(e); err != nil {
		return e, err
	}
	var refused error
	c.change(c.tableOf(e), keyOf(e), func(old *provisioning.Enrollment) *provisioning.Enrollment {
		if refused = c.mayPut(old, only, e); refused != nil {
			return old
		}
		e = c.replaced(old, e)
		return &e
	})
	return e, refused
}

// keyOf is the id of a record in its table.
func keyOf(e provisioning.Enrollment) string {
	if e.RegistrationID != "" {
		return provisioning.SameID(e.RegistrationID)
	}
	return e.EnrollmentGroupID
}

func (c *Cloud) mayPut(old *provisioning.Enrollment, only rest.Condition, e provisioning.Enrollment) error {
	known := old != nil
	if !known {
		old = &provisioning.Enrollment{}
	}
	blind := known && only.IfMatch == "" && c.cfg.Undocumented.ReplaceNeedsETag
	switch {
	case known && only.Create, blind && !only.Update:
		return conflictOf(e)
	case !known && only.Update:
		return notFoundOf(e)
	case !only.Holds(old.ETag):
		return errStale()
	case e.Attestation.Type == provisioning.AttestX509 && e.Attestation.X509 == nil && old.Attestation.Type != provisioning.AttestX509:
		return invalid("The enrollment is not valid: it has no certificate.")
	}
	return nil
}

// replaced is a record that takes the place of old, if that is not nil. Ordinary
// answers have no keys, so a record that was read, changed and written back has
// none either; it keeps those of old.
func (c *Cloud) replaced(old *provisioning.Enrollment, e provisioning.Enrollment) provisioning.Enrollment {
	e.State = nil // the service's to say
	if old != nil && !c.cfg.Undocumented.ReplaceMakesKeys {
		e.Attestation = inherited(old.Attestation, e.Attestation)
	}
	e = withDefinition(c.completed(e))
	if old != nil {
		e.Created = old.Created
		e.ETag = recordETag(c.draws(e.ID(), hash(old.ETag)), e.LastUpdated.Time)
	}
	return e
}

// unshown is an attestation without what ordinary answers say of certificates: it
// is none.
func unshown(a provisioning.Attestation) provisioning.Attestation {
	if a.X509 != nil && a.X509.CA == nil && len(a.X509.Client.All()) == 0 && len(a.X509.Signing.All()) == 0 {
		a.X509 = nil
	}
	return a
}

// inherited is an attestation with the keys or certificates of an old one of the
// same kind where it brings none.
func inherited(old, given provisioning.Attestation) provisioning.Attestation {
	kind := cmp.Or(given.Type, provisioning.AttestSymmetricKey)
	switch {
	case kind != old.Type:
		return given
	case kind == provisioning.AttestX509 && given.X509 == nil:
		return old
	case kind != provisioning.AttestSymmetricKey || old.SymmetricKey == nil:
		return given
	}
	keys := *old.SymmetricKey
	if given.SymmetricKey != nil && len(given.SymmetricKey.Primary) > 0 {
		keys.Primary = given.SymmetricKey.Primary
	}
	if given.SymmetricKey != nil && len(given.SymmetricKey.Secondary) > 0 {
		keys.Secondary = given.SymmetricKey.Secondary
	}
	return provisioning.Attestation{Type: kind, SymmetricKey: &keys}
}

// withDefinition completes a custom allocation.
func withDefinition(e provisioning.Enrollment) provisioning.Enrollment {
	if e.CustomAllocation == nil {
		return e
	}
	definition := *e.CustomAllocation
	definition.APIVersion = cmp.Or(definition.APIVersion, provisioning.AllocationAPIVersion)
	e.Allocation, e.CustomAllocation = provisioning.AllocateCustom, &definition
	return e
}

// objectionTo is what is wrong with a record that a back end brings: 400004, with
// the service's own text where one was seen (azure-docs issue 17690).
func (c *Cloud) objectionTo(e provisioning.Enrollment) error {
	if e.Allocation == provisioning.AllocateCustom && e.CustomAllocation == nil {
		return invalid("A CustomAllocationDefinition is required when the allocation policy is set to 'Custom'")
	}
	if e.EnrollmentGroupID != "" && provisioning.CheckRegistrationID(e.EnrollmentGroupID) != nil {
		return invalid("Invalid EnrollmentGroupId")
	}
	if e.RegistrationID != "" && provisioning.CheckRegistrationID(e.RegistrationID) != nil {
		return invalid("Invalid RegistrationId")
	}
	wrong := Enrollment{Enrollment: e}.mistakes(c.cfg.LinkedHubs)
	wrong = append(wrong, c.cfg.unmeasured(e), c.mayCall(e))
	if err := errors.Join(wrong...); err != nil {
		return invalid("The enrollment is not valid: " + strings.ReplaceAll(err.Error(), "\n", "; ") + ".")
	}
	return nil
}

func invalid(message string) *provisioning.Error {
	return problem(http.StatusBadRequest, provisioning.BadRequest, message)
}

// mayCall asks whether the webhook of a record may be called.
func (c *Cloud) mayCall(e provisioning.Enrollment) error {
	if e.CustomAllocation == nil || c.cfg.MayCall == nil {
		return nil
	}
	u, err := url.Parse(e.CustomAllocation.WebhookURL)
	if err != nil {
		return nil // among the mistakes already, where the URL is not quoted
	}
	return c.cfg.MayCall(u.Hostname())
}

// deleteRecord deletes an enrollment. The registrations of its devices stay ("How
// to deprovision devices": they are deleted one by one).
func (c *Cloud) deleteRecord(table *records, e provisioning.Enrollment, only rest.Condition) error {
	var refused error
	c.change(table, keyOf(e), func(old *provisioning.Enrollment) *provisioning.Enrollment {
		switch {
		case old == nil:
			refused = notFoundOf(e)
		case !only.Holds(old.ETag):
			refused = errStale()
			return old
		}
		return nil
	})
	return refused
}

func conflictOf(e provisioning.Enrollment) *provisioning.Error {
	if e.EnrollmentGroupID != "" {
		return problem(http.StatusConflict, provisioning.EnrollmentGroupConflict, "The enrollment group exists already.")
	}
	return problem(http.StatusConflict, provisioning.EnrollmentConflict, "The enrollment exists already.")
}

func notFoundOf(e provisioning.Enrollment) *provisioning.Error {
	if e.EnrollmentGroupID != "" {
		return problem(http.StatusNotFound, provisioning.EnrollmentGroupNotFound, "Enrollment group not found.")
	}
	return problem(http.StatusNotFound, provisioning.EnrollmentNotFound, "Enrollment not found.")
}
