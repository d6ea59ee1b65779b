package allocation

import (
	"cmp"
	"strconv"

	"dpsfleet/provisioning"
)

// Settings are the outcomes that Microsoft documents nowhere. A zero member is
// its default, so the zero value is the emulator's idea of DPS. Undocumented
// lists them for people.
type Settings struct {
	// HubNotLinked is the code for a hub that is not among linkedHubs; 400207.
	HubNotLinked provisioning.Code `json:"hubNotLinked,omitzero"`
	// MissingHub is the code for an answer without iotHubHostName; 400208, as
	// for null.
	MissingHub provisioning.Code `json:"missingHub,omitzero"`
	// NotJSON is the code for a 2xx that holds no JSON object, a member of the
	// wrong kind, or more than Client.MaxAnswer; 400207.
	NotJSON provisioning.Code `json:"notJson,omitzero"`
	// AfterRetries is the code when the last retry was answered with 429 or
	// more; 400207 with the last status.
	AfterRetries provisioning.Code `json:"afterRetries,omitzero"`
	// Unreachable is the code when the last retry got no answer, or none in
	// time; 400207.
	Unreachable provisioning.Code `json:"unreachable,omitzero"`
	// OddPayload says what becomes of a payload that is not an object; drop.
	OddPayload PayloadRule `json:"oddPayload,omitempty" jsonschema:"enum=drop,enum=fail,enum=pass"`
}

// PayloadRule says what becomes of a payload that is no JSON object, which the
// documents rule out without a word on what follows.
type PayloadRule string

// The rules: the device is assigned without it, it is taken for an answer that
// is not JSON, or the device gets it.
const (
	DropPayload PayloadRule = "drop"
	FailPayload PayloadRule = "fail"
	PassPayload PayloadRule = "pass"
)

// orDefault fills what is zero.
func (s Settings) orDefault() Settings {
	return Settings{
		HubNotLinked: cmp.Or(s.HubNotLinked, provisioning.CustomAllocationFailed),
		MissingHub:   cmp.Or(s.MissingHub, provisioning.CustomAllocationIotHubNotSpecified),
		NotJSON:      cmp.Or(s.NotJSON, provisioning.CustomAllocationFailed),
		AfterRetries: cmp.Or(s.AfterRetries, provisioning.CustomAllocationFailed),
		Unreachable:  cmp.Or(s.Unreachable, provisioning.CustomAllocationFailed),
		OddPayload:   cmp.Or(s.OddPayload, DropPayload),
	}
}

// Setting is one of the Settings as a person reads it.
type Setting struct{ Name, Default, About string }

// Undocumented lists the Settings under their JSON names, for a program's help.
func Undocumented() []Setting {
	d := Settings{}.orDefault()
	code := func(c provisioning.Code) string { return strconv.Itoa(int(c)) }
	return []Setting{
		{"hubNotLinked", code(d.HubNotLinked), "the webhook names a hub that is not among linkedHubs"},
		{"missingHub", code(d.MissingHub), "the webhook's answer has no iotHubHostName at all"},
		{"notJson", code(d.NotJSON), "the webhook answers 200 with something else than the documented JSON"},
		{"afterRetries", code(d.AfterRetries), "the webhook answers 429 or more to the last retry as well"},
		{"unreachable", code(d.Unreachable), "the webhook cannot be reached, or is too slow, at the last retry as well"},
		{"oddPayload", string(d.OddPayload), "the webhook's payload is not an object: drop, fail or pass it"},
	}
}

// The texts that a device is told. Only the first two were ever seen from the
// real service; those for 400208 and 400209 are documented nowhere and ours.
const (
	textFailed       = "Custom allocation failed with status code: "
	textUnreachable  = "An error occurred while sending the request."
	textNotSpecified = "Custom allocation did not specify an IoT hub."
	textUnauthorized = "Custom allocation was refused access to the webhook."
)

// message is what a device is told beside code.
func message(code provisioning.Code, status int) string {
	switch code {
	case provisioning.CustomAllocationIotHubNotSpecified:
		return textNotSpecified
	case provisioning.CustomAllocationUnauthorizedAccess:
		return textUnauthorized
	}
	if status == 0 {
		return textUnreachable
	}
	return textFailed + strconv.Itoa(status)
}
