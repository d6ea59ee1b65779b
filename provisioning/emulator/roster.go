package emulator

import (
	"sync/atomic"

	"dpsfleet/provisioning"
)

// roster is the enrollment groups in their order, so that of two with the same key
// always the same one is found, made ready to attest: every CONNECT needs them,
// and they change seldom.
type roster struct {
	changes atomic.Uint64 // of all enrollments so far
	made    atomic.Pointer[muster]
}

// muster is a roster as it was after so many changes.
type muster struct {
	changes uint64
	groups  []group
}

// group is one with what derives its devices' keys, nil where it has no key: what
// an empty key derives, anybody can.
type group struct {
	*provisioning.Enrollment
	primary, secondary *provisioning.Deriver
}

// keys are those of a device of the group.
func (g group) keys(registrationID string) provisioning.SymmetricKey {
	return provisioning.SymmetricKey{Primary: g.primary.Derive(registrationID), Secondary: g.secondary.Derive(registrationID)}
}

// DeviceKey is the key of a device, derived from the primary key of its group. A group
// that attests by certificate has none.
func (c *Cloud) DeviceKey(groupID, registrationID string) (provisioning.Key, bool) {
	for _, g := range c.roster() {
		if g.EnrollmentGroupID == groupID && g.primary != nil {
			return g.primary.Derive(registrationID), true
		}
	}
	return nil, false
}

// roster calls the groups together, anew if an enrollment has changed since.
func (c *Cloud) roster() []group {
	changes := c.groupRoster.changes.Load() // first: what changes while it is made makes it old
	if m := c.groupRoster.made.Load(); m != nil && m.changes == changes {
		return m.groups
	}
	m := &muster{changes: changes}
	for _, e := range c.sortedGroups() {
		g := group{Enrollment: e}
		if keys := e.Attestation.SymmetricKey; keys != nil {
			g.primary, g.secondary = provisioning.NewDeriver(keys.Primary), provisioning.NewDeriver(keys.Secondary)
		}
		m.groups = append(m.groups, g)
	}
	c.groupRoster.made.Store(m)
	return m.groups
}
