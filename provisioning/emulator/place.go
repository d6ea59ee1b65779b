package emulator

import (
	"fmt"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator/hub"
)

// Place puts a device where it was assigned in an earlier life: DPS and its hub
// know it, with the initial twin of its enrollment, which is a group by its id or
// an individual enrollment by its registration id. A device that DPS knows already
// stays where it is.
func (c *Cloud) Place(enrollmentID, registrationID, hubName string) error {
	target, linked := c.hubs[strings.ToLower(hubName)]
	if !linked {
		return fmt.Errorf("placing %q: the hub %q is not linked", registrationID, hubName)
	}
	record, who, err := c.tenant(enrollmentID, registrationID)
	if err != nil {
		return fmt.Errorf("placing %q: %w", registrationID, err)
	}
	twin, err := hub.NewTwin(initialTwin(record, &allocation.Verdict{}))
	if err != nil {
		return fmt.Errorf("placing %q: %w", registrationID, err)
	}
	c.registrations.Update(provisioning.SameID(registrationID), func(r registration, known bool) (registration, bool) {
		if known {
			return r, true
		}
		r = registration{ID: registrationID, Created: time.Now(), Count: 1, Hub: target.Name(), First: target.Name(), Group: who.groupID()}
		r.DeviceID = record.DeviceID
		if r.DeviceID == "" {
			r.DeviceID = registrationID
		}
		r.Operation = r.standing()
		target.Put(hub.Device{ID: r.DeviceID, RegistrationID: r.ID, Keys: who.keys, X509: who.x509}, twin)
		return r, true
	})
	return nil
}

// tenant is a device as its enrollment makes it, without its coming to prove it.
func (c *Cloud) tenant(enrollmentID, registrationID string) (*provisioning.Enrollment, identity, error) {
	who := identity{registrationID: registrationID, enrollmentID: enrollmentID}
	record, group := c.groups.Get(enrollmentID)
	who.group = group
	if !group {
		var known bool
		if record, known = c.individuals.Get(provisioning.SameID(enrollmentID)); !known {
			return record, who, fmt.Errorf("there is no enrollment %q", enrollmentID)
		}
	}
	switch keys, trust := record.Attestation.SymmetricKey, record.Attestation.X509; {
	case trust != nil:
		resolved := c.resolved(*trust)
		who.x509 = &resolved
	case keys != nil && group:
		who.keys = provisioning.SymmetricKey{Primary: keys.Primary.Derive(registrationID), Secondary: keys.Secondary.Derive(registrationID)}
	case keys != nil:
		who.keys = *keys
	}
	return record, who, nil
}
