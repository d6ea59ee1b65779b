package scenarios

import (
	"maps"
	"slices"
	"strings"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// TutorialGroupKey is the enrollment group's key of Microsoft's tutorial: it
// derives the two device keys that the tutorial prints. Everybody knows it, so
// it is for a cloud on loopback only.
const TutorialGroupKey = "oiK77Oy7rBw8YB6IS6ukRChAw+Yq6GC61RMrPLSTiOOtdI+XDu0LmLuNm11p+qv2I+adqGUdZHm46zXAQdZoOA=="

// Config is the cloud of the scenario as the emulator takes it. The first group
// by name that attests by key has the one that is given, or its own, or else the
// fallback; where all are nil, as for the other groups, keys are made.
func (s Scenario) Config(given, fallback provisioning.Key) emulator.Config {
	config := emulator.Config{
		IDScope:      s.Cloud.IDScope,
		LinkedHubs:   s.Cloud.LinkedHubs,
		Hubs:         s.Cloud.Hubs,
		Quotas:       s.Cloud.Quotas,
		WebhookCalls: s.Cloud.WebhookCalls,
		Observe:      s.Cloud.Observe,
		Answers:      s.Cloud.Answers.config(),
		Undocumented: s.Cloud.Undocumented,
		Seed:         s.Seed,
	}
	for _, name := range slices.Sorted(maps.Keys(s.Cloud.EnrollmentGroups)) {
		e := s.enrollment(s.Cloud.EnrollmentGroups[name])
		e.EnrollmentGroupID = name
		switch key := e.Attestation.SymmetricKey; {
		case key == nil: // it attests by certificate
			config.Enrollments = append(config.Enrollments, e)
			continue
		case given != nil:
			key.Primary = given
		case key.Primary == nil:
			key.Primary = fallback
		}
		given, fallback = nil, nil
		config.Enrollments = append(config.Enrollments, e)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Cloud.IndividualEnrollments)) {
		e := s.enrollment(s.Cloud.IndividualEnrollments[id])
		e.RegistrationID = id
		config.Enrollments = append(config.Enrollments, e)
	}
	return config
}

// config is the pace as the emulator takes it; nil for the realistic one.
func (a *Answers) config() *emulator.Answers {
	if a == nil {
		return nil
	}
	pace := emulator.Realistic()
	for _, set := range []struct{ to, from *emulator.Span }{
		{&pace.Register, a.Register}, {&pace.Allocate, a.Allocate}, {&pace.RetryAfter, a.RetryAfter},
	} {
		if set.from != nil {
			*set.to = *set.from
		}
	}
	return &pace
}

// enrollment is a record as DPS has it.
func (s Scenario) enrollment(e Enrollment) emulator.Enrollment {
	record := emulator.Enrollment{Enrollment: provisioning.Enrollment{
		DeviceID:       e.DeviceID,
		IoTHubHostName: e.IoTHubHostName,
		InitialTwin:    e.InitialTwin,
		Provisioning:   e.ProvisioningStatus,
		Reprovision:    e.ReprovisionPolicy,
		Allocation:     e.AllocationPolicy,
		IoTHubs:        e.IoTHubs,
	}}
	s.attest(&record, e)
	if e.WebhookURL != "" {
		record.Allocation = provisioning.AllocateCustom
		record.CustomAllocation = &provisioning.CustomAllocationDefinition{
			WebhookURL: e.WebhookURL,
			APIVersion: provisioning.AllocationAPIVersion,
		}
	}
	if e.Policy != "" {
		policy := s.policies[e.Policy]
		record.Allocation = provisioning.AllocateCustom
		record.Policy = &policy
		record.FunctionKey = emulator.FunctionKeyUse(e.FunctionKey)
	}
	return record
}

// WithWebhook is the scenario with every allocation by a webhook, a policy's or
// another's, made by the one at url instead.
func (s Scenario) WithWebhook(url string) Scenario {
	cloud := *s.Cloud
	replaced := func(records map[string]Enrollment) map[string]Enrollment {
		out := maps.Clone(records)
		for name, e := range out {
			if e.Policy == "" && e.WebhookURL == "" {
				continue
			}
			e.Policy, e.FunctionKey, e.WebhookURL = "", "", url
			out[name] = e
		}
		return out
	}
	cloud.EnrollmentGroups = replaced(s.Cloud.EnrollmentGroups)
	cloud.IndividualEnrollments = replaced(s.Cloud.IndividualEnrollments)
	s.Cloud = &cloud
	return s
}

// shown is the text of the scenario with the keys in it masked.
func (s Scenario) shown() string {
	text := string(s.text)
	for _, key := range s.keys() {
		if len(key) > 0 {
			text = strings.ReplaceAll(text, key.Base64(), "****")
		}
	}
	if s.direct() {
		text = strings.ReplaceAll(text, s.Target.Webhook, provisioning.MaskURL(s.Target.Webhook))
	}
	if s.Cloud == nil {
		return text
	}
	for _, e := range s.Cloud.records() {
		if e.WebhookURL != "" {
			text = strings.ReplaceAll(text, e.WebhookURL, provisioning.MaskURL(e.WebhookURL))
		}
	}
	return text
}

func (s Scenario) keys() []provisioning.Key {
	var keys []provisioning.Key
	if s.Target != nil {
		keys = append(keys, s.Target.GroupKey)
	}
	if s.Cloud == nil {
		return keys
	}
	for _, e := range s.Cloud.records() {
		keys = append(keys, e.PrimaryKey, e.SecondaryKey)
	}
	return keys
}

// records are all enrollments.
func (c Cloud) records() []Enrollment {
	return slices.Concat(slices.Collect(maps.Values(c.EnrollmentGroups)), slices.Collect(maps.Values(c.IndividualEnrollments)))
}
