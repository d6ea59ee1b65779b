package scenarios

import (
	"cmp"
	"fmt"
	"time"

	"dpsfleet/fleet"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// requests makes the calls' requests as DPS would send them. What is the same in
// all of a group's is written once.
type requests struct {
	r         *run
	now       time.Time
	groups    map[enrolled]allocation.Template
	authority *provisioning.Authority // of the certificates; nil where there are none
}

// enrolled is a group of one way to attest.
type enrolled struct {
	group string
	proof provisioning.AttestationType
}

// tutorialGroup is the enrollment group of Microsoft's tutorial.
const tutorialGroup = "contoso-custom-allocated-devices"

func (r *run) requests(now time.Time) (func(fleet.Arrival) (allocation.Asked, error), error) {
	m := &requests{r: r, now: now, groups: make(map[enrolled]allocation.Template)}
	for _, f := range r.Fleets {
		for _, proof := range []provisioning.AttestationType{provisioning.AttestSymmetricKey, provisioning.AttestX509} {
			e := enrolled{groupNamed(f), proof}
			record := m.record(proof)
			record.EnrollmentGroupID = e.group
			m.groups[e] = allocation.Request{EnrollmentGroup: &record, LinkedHubs: r.Hubs()}.Template()
		}
	}
	if r.Target.Requests.X509 == 0 {
		return m.asked, nil
	}
	var err error
	m.authority, err = provisioning.NewAuthority(tutorialGroup, now)
	return m.asked, err
}

func groupNamed(f Fleet) string { return cmp.Or(f.EnrollmentGroup, tutorialGroup) }

// record is an enrollment as DPS shows it to a webhook, without its id.
func (m *requests) record(proof provisioning.AttestationType) provisioning.Enrollment {
	at := provisioning.Timestamp{Time: m.now}
	return provisioning.Enrollment{
		Attestation:  provisioning.Attestation{Type: proof},
		Capabilities: &provisioning.Capabilities{},
		ETag:         fmt.Sprintf("%q", fmt.Sprintf("%08x-0000-0300-0000-%08x0000", uint32(m.r.Seed), uint32(m.now.Unix()))),
		Provisioning: provisioning.ProvisioningEnabled,
		Reprovision:  &provisioning.ReprovisionPolicy{UpdateHubAssignment: true, MigrateDeviceData: true},
		Created:      at,
		LastUpdated:  at,
		Allocation:   provisioning.AllocateCustom,
		IoTHubs:      m.r.Target.Hubs,
		CustomAllocation: &provisioning.CustomAllocationDefinition{
			WebhookURL: m.r.Target.Webhook,
			APIVersion: provisioning.AllocationAPIVersion,
		},
	}
}

// asked is the request of one device.
func (m *requests) asked(a fleet.Arrival) (allocation.Asked, error) {
	d, err := m.r.kinds[a.Fleet].Make(m.r.number(a))
	if err != nil {
		return allocation.Asked{}, err
	}
	shares, seed := m.r.Target.Requests, m.r.Seed
	c := allocation.RuntimeContext{RegistrationID: &d.ID, Payload: d.Payload}
	if hubs := m.r.Target.Hubs; shares.Repeated.has(seed, d.ID, "repeated") {
		c.CurrentIoTHubHostName = hubs[drawFor(seed, d.ID, "current hub").IntN(len(hubs))]
		c.CurrentDeviceID = d.ID
	}
	e := enrolled{groupNamed(m.r.Fleets[a.Fleet]), provisioning.AttestSymmetricKey}
	if shares.X509.has(seed, d.ID, "x509") {
		e.proof = provisioning.AttestX509
		made, err := m.authority.IssueClient(d.ID)
		if err != nil {
			return allocation.Asked{}, err
		}
		c.X509 = &allocation.X509Context{ClientCertificate: made.Certificate[0]}
	} else {
		c.SymmetricKey = &struct{}{}
	}
	if shares.Individual.has(seed, d.ID, "individual") {
		record := m.record(e.proof)
		record.RegistrationID = d.ID
		return allocation.Request{IndividualEnrollment: &record, DeviceRuntimeContext: c, LinkedHubs: m.r.Target.Hubs}.Asked(), nil
	}
	return m.groups[e].Asked(c), nil
}
