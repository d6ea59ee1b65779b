package emulator

import (
	"cmp"
	"strconv"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// Undocumented is what no document of Microsoft's tells. The zero value is the
// default of each, which is a guess of ours.
type Undocumented struct {
	// RefuseAtConnect refuses bad credentials with CONNACK 5. The service was
	// seen to accept the connection and to answer the registration with 401.
	RefuseAtConnect bool `json:"refuseAtConnect,omitempty"`
	// UnauthorizedCode is the code in a 401; 401000. 401002 was seen as well.
	UnauthorizedCode provisioning.Code `json:"unauthorizedCode,omitzero"`
	// DisabledBeforeKey answers disabled to whoever names the registration id
	// of a disabled individual enrollment. A disabled group is found by its key
	// either way.
	DisabledBeforeKey bool `json:"disabledBeforeKey,omitempty"`
	// DisabledAtRegister answers disabled to the registration itself, with 200;
	// by default the first poll tells, after the 202 that SDKs wait for.
	DisabledAtRegister bool `json:"disabledAtRegister,omitempty"`
	// UnknownOperationCode is the code in the 404 to a poll for an operation
	// that is not the device's latest; 404203.
	UnknownOperationCode provisioning.Code `json:"unknownOperationCode,omitzero"`
	// RepeatedSubstatus is the substatus of a repeated registration whose hub
	// stays; initialAssignment.
	RepeatedSubstatus string `json:"repeatedSubstatus,omitempty"`
	// BadTwinCode is the code when a hub does not take the initial twin;
	// 400207.
	BadTwinCode provisioning.Code `json:"badTwinCode,omitzero"`
	// HubDisabledConnack is a hub's CONNACK code for a disabled device; 5.
	HubDisabledConnack byte `json:"hubDisabledConnack,omitempty"`
	// WebhookTimeout is for one call of a webhook; 30 s. Drawn once for each
	// registration if it is a range.
	WebhookTimeout Span `json:"webhookTimeout,omitzero"`
	// Webhook is what is not known of the webhook's outcomes.
	Webhook allocation.Settings `json:"webhook,omitzero"`
}

func (u Undocumented) orDefault() Undocumented {
	u.UnauthorizedCode = cmp.Or(u.UnauthorizedCode, provisioning.Unauthorized)
	u.UnknownOperationCode = cmp.Or(u.UnknownOperationCode, provisioning.AsyncOperationNotFound)
	u.RepeatedSubstatus = cmp.Or(u.RepeatedSubstatus, provisioning.InitialAssignment)
	u.BadTwinCode = cmp.Or(u.BadTwinCode, provisioning.CustomAllocationFailed)
	u.HubDisabledConnack = cmp.Or(u.HubDisabledConnack, 5)
	if u.WebhookTimeout == (Span{}) {
		u.WebhookTimeout = Exactly(30 * time.Second)
	}
	return u
}

// Settings lists the Undocumented under their JSON names, with their defaults,
// for a program's help.
func Settings() []allocation.Setting {
	d := Undocumented{}.orDefault()
	code := func(c provisioning.Code) string { return strconv.Itoa(int(c)) }
	var all []allocation.Setting
	add := func(name, value, about string) {
		all = append(all, allocation.Setting{Name: name, Default: value, About: about})
	}
	add("refuseAtConnect", "false", "refuse bad credentials with CONNACK 5 instead of 401 on the registration")
	add("unauthorizedCode", code(d.UnauthorizedCode), "the code in a 401; the service was seen to send 401000 and 401002")
	add("disabledBeforeKey", "false", "say disabled for an individual enrollment before the key is checked")
	add("disabledAtRegister", "false", "say disabled in the answer to the registration instead of to the first poll")
	add("unknownOperationCode", code(d.UnknownOperationCode), "the code in the 404 to a poll for an operation that is not the device's latest")
	add("repeatedSubstatus", d.RepeatedSubstatus, "the substatus of a repeated registration whose hub stays")
	add("badTwinCode", code(d.BadTwinCode), "the code when a hub does not take the initial twin")
	add("hubDisabledConnack", strconv.Itoa(int(d.HubDisabledConnack)), "a hub's CONNACK code for a disabled device")
	add("webhookTimeout", d.WebhookTimeout.String(), "how long one call of a webhook may take")
	for _, s := range allocation.Undocumented() {
		add("webhook."+s.Name, s.Default, s.About)
	}
	return all
}

// What else is ours: the service has such limits, and no document gives them.
const (
	connectTimeout   = 30 * time.Second // from the TCP connection to the CONNECT
	maxUnanswered    = 16               // registrations of one connection that wait for their answers
	defaultWebhook   = 256              // calls at once
	maxMessageAtHub  = 256 << 10        // hub quotas: the largest message of all that come here
	topicAndHeader   = 68 << 10         // what a packet may hold beside its payload
	shortestKeyBytes = 16               // symmetric key attestation: 16 to 64 bytes
	longestKeyBytes  = 64
)
