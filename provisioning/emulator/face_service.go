package emulator

import (
	"cmp"
	"net/http"
	"slices"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/rest"
)

// serviceAPI is the service API of DPS: enrollments and registrations.
func (c *Cloud) serviceAPI() http.Handler {
	return rest.Guard(c.faceHosts(), rest.Authorize(c.ownerKey(dpsOwner), rest.NewService(rest.Service{
		Individuals: rest.Records{
			List: c.listIndividuals,
			Get:  c.individual,
			Put:  c.putRecord,
			Delete: func(id string, only rest.Condition) error {
				return c.deleteRecord(&c.individuals, provisioning.Enrollment{RegistrationID: id}, only)
			},
		},
		Groups: rest.Records{
			List: func() []provisioning.Enrollment { return copied(c.sortedGroups()) },
			Get:  c.group,
			Put:  c.putRecord,
			Delete: func(id string, only rest.Condition) error {
				return c.deleteRecord(&c.groups, provisioning.Enrollment{EnrollmentGroupID: id}, only)
			},
		},
		Registrations: rest.Registrations{
			Get:    c.Registration,
			Delete: c.deleteRegistration,
			Of:     c.registrationsOf,
		},
	})))
}

// individual is an individual enrollment with what its device has registered,
// which the service shows in it.
func (c *Cloud) individual(id string) (provisioning.Enrollment, bool) {
	record, known := c.individuals.Get(provisioning.SameID(id))
	if !known {
		return provisioning.Enrollment{}, false
	}
	e := *record
	if state, registered := c.Registration(id); registered {
		e.State = &state
	}
	return e, true
}

func (c *Cloud) group(id string) (provisioning.Enrollment, bool) {
	record, known := c.groups.Get(id)
	if !known {
		return provisioning.Enrollment{}, false
	}
	return *record, true
}

func (c *Cloud) listIndividuals() []provisioning.Enrollment {
	all := copied(c.individuals.Values())
	for i, e := range all {
		if state, registered := c.Registration(e.RegistrationID); registered {
			all[i].State = &state
		}
	}
	return all
}

// registrationsOf are the devices that a group has let in. Those of a group that
// was deleted stay, and are shown again when it is made again.
func (c *Cloud) registrationsOf(group string) ([]provisioning.RegistrationState, bool) {
	if _, known := c.groups.Get(group); !known {
		return nil, false
	}
	var all []provisioning.RegistrationState
	for _, r := range c.registrations.Values() {
		if r.Group == group {
			all = append(all, *r.Operation.state(r.ID))
		}
	}
	slices.SortFunc(all, func(a, b provisioning.RegistrationState) int { return cmp.Compare(a.RegistrationID, b.RegistrationID) })
	return all, true
}

func (c *Cloud) deleteRegistration(id string, only rest.Condition) error {
	state, known := c.Registration(id)
	switch {
	case known && !only.Holds(state.ETag):
		return errStale()
	case !known, !c.DeleteRegistration(id):
		return problem(http.StatusNotFound, provisioning.DeviceRegistrationNotFound, "Registration not found.")
	}
	return nil
}

// errStale is the answer to an If-Match that does not hold (RFC 9110 section
// 13.1.1).
func errStale() *provisioning.Error {
	return problem(http.StatusPreconditionFailed, provisioning.PreconditionFailed, "The etag is not that of the record as it is now.")
}
