package emulator

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"dpsfleet/provisioning"
)

// enroll stores the records of the configuration, completed as the service
// would, and starts the policies that some of them bring.
func (c *Cloud) enroll() error {
	for _, e := range c.cfg.Enrollments {
		e, err := c.certify(e)
		if err != nil {
			return fmt.Errorf("making the certificates of enrollment %q: %w", e.ID(), err)
		}
		url := ""
		if e.Policy != nil {
			if url, err = c.servePolicy(e); err != nil {
				return fmt.Errorf("serving the policy of enrollment %q: %w", e.ID(), err)
			}
		}
		stands, err := c.stands(e, url)
		if err != nil {
			return err
		}
		if !stands {
			c.declare(e.Enrollment, url)
		}
	}
	return nil
}

// declare stores a record of the configuration. url is of the policy that the
// cloud serves for it, if it does.
func (c *Cloud) declare(e provisioning.Enrollment, url string) {
	if url != "" {
		e.CustomAllocation = &provisioning.CustomAllocationDefinition{WebhookURL: url}
	}
	c.change(c.tableOf(e), keyOf(e), func(old *provisioning.Enrollment) *provisioning.Enrollment {
		e := c.replaced(old, e)
		return &e
	})
}

// completed fills a record with what the service adds to it: keys of 64 bytes,
// times, an etag, and the defaults of its REST reference, hashed allocation and
// re-provisioning with migration among them.
func (c *Cloud) completed(e provisioning.Enrollment) provisioning.Enrollment {
	now := time.Now()
	e.Attestation = attestation(e.Attestation)
	if e.Capabilities == nil {
		e.Capabilities = &provisioning.Capabilities{}
	}
	if e.Reprovision == nil {
		e.Reprovision = &provisioning.ReprovisionPolicy{UpdateHubAssignment: true, MigrateDeviceData: true}
	}
	e.Provisioning = cmp.Or(e.Provisioning, provisioning.ProvisioningEnabled)
	e.Allocation = cmp.Or(e.Allocation, provisioning.AllocateHashed)
	e.ETag = recordETag(c.draws(e.ID(), 0), now)
	e.Created, e.LastUpdated = provisioning.Timestamp{Time: now}, provisioning.Timestamp{Time: now}
	return e
}

// Enrollments are the records as they are now, keys included; groups first, each
// kind by id.
func (c *Cloud) Enrollments() []provisioning.Enrollment {
	return append(copied(c.sortedGroups()), copied(sorted(&c.individuals))...)
}

func copied(all []*provisioning.Enrollment) []provisioning.Enrollment {
	copies := make([]provisioning.Enrollment, len(all))
	for i, e := range all {
		copies[i] = *e
	}
	return copies
}

func sorted(table *records) []*provisioning.Enrollment {
	all := table.Values()
	slices.SortFunc(all, func(a, b *provisioning.Enrollment) int { return cmp.Compare(a.ID(), b.ID()) })
	return all
}

func (c *Cloud) sortedGroups() []*provisioning.Enrollment { return sorted(&c.groups) }

// Key is the primary key of an enrollment, by its group id or registration id. One
// that attests by certificate has none.
func (c *Cloud) Key(enrollmentID string) (provisioning.Key, bool) {
	e, known := c.groups.Get(enrollmentID)
	if !known {
		e, known = c.individuals.Get(provisioning.SameID(enrollmentID))
	}
	if !known || e.Attestation.SymmetricKey == nil {
		return nil, false
	}
	return slices.Clone(e.Attestation.SymmetricKey.Primary), true
}

// linkedHubs are the hubs that devices of a record may go to.
func (c *Cloud) linkedHubs(e *provisioning.Enrollment) []string {
	if len(e.IoTHubs) > 0 {
		return e.IoTHubs
	}
	return c.cfg.LinkedHubs
}
