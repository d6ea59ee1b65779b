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
	// CertificateOverToken judges a device that sends both a token and a
	// certificate by the certificate; by default the token counts.
	CertificateOverToken bool `json:"certificateOverToken,omitempty"`
	// WebhookWithoutCertificate sends a webhook x509: {} for a device with a
	// certificate; by default clientCertificate is in it, the base64 of its DER,
	// which published functions read.
	WebhookWithoutCertificate bool `json:"webhookWithoutCertificate,omitempty"`
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
	// UnknownScopeCode is the code over HTTPS where the id scope is not this
	// service's, and its first three digits the status; 404208. Over MQTT the
	// service was seen to answer CONNACK 3.
	UnknownScopeCode provisioning.Code `json:"unknownScopeCode,omitzero"`
	// RepeatedSubstatus is the substatus of a repeated registration whose hub
	// stays; initialAssignment.
	RepeatedSubstatus string `json:"repeatedSubstatus,omitempty"`
	// ReturnedSubstatus is the substatus of a device that moves back to the hub
	// of its first assignment; reprovisionedToInitialAssignment, which the REST
	// reference explains so. With policy it is that of any other move.
	ReturnedSubstatus string `json:"returnedSubstatus,omitempty"`
	// RegionMember is the member of a device's payload that says in which region
	// it is, for the policy geoLatency; region. DPS measures by its own network.
	RegionMember string `json:"regionMember,omitempty"`
	// StaleHubWait is how long a device whose hub has a stale key hears
	// assigning before it fails; 1m. StaleHubCode is the code then; 401002.
	StaleHubWait Span              `json:"staleHubWait,omitzero"`
	StaleHubCode provisioning.Code `json:"staleHubCode,omitzero"`
	// QuotaMeter is how a quota is counted: in a window, which begins with the
	// first request, or by a bucket that is filled evenly; window.
	QuotaMeter string `json:"quotaMeter,omitempty" jsonschema:"enum=window,enum=bucket"`
	// ThrottleRetryAfter is what a device is told to wait that was throttled;
	// left out, until the quota would let it in. ThrottleWithoutRetryAfter tells
	// it nothing.
	ThrottleRetryAfter        Span `json:"throttleRetryAfter,omitzero"`
	ThrottleWithoutRetryAfter bool `json:"throttleWithoutRetryAfter,omitempty"`
	// ShapingQueue is how long a hub over its quota holds a new connection back
	// before it refuses more with CONNACK 3; 10s.
	ShapingQueue Span `json:"shapingQueue,omitzero"`
	// BadTwinCode is the code when a hub does not take the initial twin;
	// 400207.
	BadTwinCode provisioning.Code `json:"badTwinCode,omitzero"`
	// ReplaceNeedsETag refuses to replace an enrollment without an If-Match, with
	// 409; the REST reference calls that operation create or update.
	ReplaceNeedsETag bool `json:"replaceNeedsETag,omitempty"`
	// ReplaceMakesKeys makes new keys for an enrollment that is replaced by one
	// without; by default the old ones stay.
	ReplaceMakesKeys bool `json:"replaceMakesKeys,omitempty"`
	// HubDisabledConnack is a hub's CONNACK code for a disabled device; 5.
	HubDisabledConnack byte `json:"hubDisabledConnack,omitempty" jsonschema:"minimum=1,maximum=5"`
	// WebhookTimeout is for one call of a webhook; 30 s. Drawn once for each
	// registration if it is a range.
	WebhookTimeout Span `json:"webhookTimeout,omitzero"`
	// Webhook is what is not known of the webhook's outcomes.
	Webhook allocation.Settings `json:"webhook,omitzero"`
}

func (u Undocumented) orDefault() Undocumented {
	u.UnauthorizedCode = cmp.Or(u.UnauthorizedCode, provisioning.Unauthorized)
	u.UnknownOperationCode = cmp.Or(u.UnknownOperationCode, provisioning.AsyncOperationNotFound)
	u.UnknownScopeCode = cmp.Or(u.UnknownScopeCode, provisioning.ProvisioningSettingsNotFound)
	u.RepeatedSubstatus = cmp.Or(u.RepeatedSubstatus, provisioning.InitialAssignment)
	u.ReturnedSubstatus = cmp.Or(u.ReturnedSubstatus, provisioning.ReprovisionedToInitialAssignment)
	u.RegionMember = cmp.Or(u.RegionMember, "region")
	u.StaleHubWait = cmp.Or(u.StaleHubWait, Exactly(time.Minute))
	u.StaleHubCode = cmp.Or(u.StaleHubCode, provisioning.UnauthorizedAccess)
	u.QuotaMeter = cmp.Or(u.QuotaMeter, meterWindow)
	u.ShapingQueue = cmp.Or(u.ShapingQueue, Exactly(10*time.Second))
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
	add("certificateOverToken", "false", "judge a device that sends both a token and a certificate by the certificate")
	add("webhookWithoutCertificate", "false", "send a webhook x509: {} for a device with a certificate, without clientCertificate")
	add("disabledBeforeKey", "false", "say disabled for an individual enrollment before the key is checked")
	add("disabledAtRegister", "false", "say disabled in the answer to the registration instead of to the first poll")
	add("unknownOperationCode", code(d.UnknownOperationCode), "the code in the 404 to a poll for an operation that is not the device's latest")
	add("unknownScopeCode", code(d.UnknownScopeCode), "the code, and with it the status, over HTTPS for an unknown id scope")
	add("repeatedSubstatus", d.RepeatedSubstatus, "the substatus of a repeated registration whose hub stays")
	add("returnedSubstatus", d.ReturnedSubstatus, "the substatus of a device that moves back to its first hub; policy for that of any other move")
	add("regionMember", d.RegionMember, "the member of a payload that says where a device is, for geoLatency")
	add("staleHubWait", d.StaleHubWait.String(), "how long a device hears assigning whose hub has a stale key")
	add("staleHubCode", code(d.StaleHubCode), "the code of its failure then")
	add("quotaMeter", d.QuotaMeter, "how a quota is counted: in a window, or by a bucket that is filled evenly")
	add("throttleRetryAfter", "the rest", "what a throttled device is told to wait; the rest of the window unless it is set")
	add("throttleWithoutRetryAfter", "false", "tell a throttled device nothing of that")
	add("shapingQueue", d.ShapingQueue.String(), "how long a hub over its quota holds a connection back before it refuses")
	add("badTwinCode", code(d.BadTwinCode), "the code when a hub does not take the initial twin")
	add("replaceNeedsETag", "false", "refuse with 409 to replace an enrollment without If-Match over the service API")
	add("replaceMakesKeys", "false", "make new keys for an enrollment that is replaced by one without keys")
	add("hubDisabledConnack", strconv.Itoa(int(d.HubDisabledConnack)), "a hub's CONNACK code for a disabled device")
	add("webhookTimeout", d.WebhookTimeout.String(), "how long one call of a webhook may take")
	for _, s := range allocation.Undocumented() {
		add("webhook."+s.Name, s.Default, s.About)
	}
	return all
}

// The values of QuotaMeter.
const (
	meterWindow = "window"
	meterBucket = "bucket"
)

// What else is ours: the service has such limits, and no document gives them.
const (
	connectTimeout   = 30 * time.Second // from the TCP connection to the CONNECT
	maxUnanswered    = 16               // registrations of one connection that wait for their answers
	defaultWebhook   = 256              // calls at once
	maxConnect       = 72 << 10         // a will of 64 KB, MQTT's most, and 8 KB for all else
	lengthAndID      = 4                // what a PUBLISH has beside topic and payload
	maxMessageAtHub  = 256 << 10        // hub quotas: the largest message of all that come here
	topicAndHeader   = 68 << 10         // what a packet may hold beside its payload
	shortestKeyBytes = 16               // symmetric key attestation: 16 to 64 bytes
	longestKeyBytes  = 64
)
