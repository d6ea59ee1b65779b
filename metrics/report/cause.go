package report

import (
	"fmt"
	"slices"
	"strings"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// Cause is what a boot's end most likely comes from, and what to do about it.
type Cause struct {
	Name string // for programs
	Why  string
	Do   string
}

// LikelyCause finds the cause of how a boot ended, or of what held it up. Not ok
// if nothing that is known of it points to one.
func LikelyCause(b metrics.Boot) (cause Cause, ok bool) {
	e := newEvidence(b)
	for _, row := range causes() {
		if row.holds(e) {
			return Cause{row.name, e.fill(row.why), row.do}, true
		}
	}
	return Cause{}, false
}

// CauseNames lists the names that a Cause may have.
func CauseNames() []string {
	var names []string
	for _, row := range causes() {
		names = append(names, row.name)
	}
	return names
}

// evidence is what speaks for a cause.
type evidence struct {
	metrics.Boot
	call   metrics.Allocation // the webhook's last, in a boot that has one
	called bool
	bad    int          // calls that failed
	last   device.Stage // that the boot was in
}

func newEvidence(b metrics.Boot) evidence {
	e := evidence{Boot: b}
	if n := len(b.Allocations); n > 0 {
		e.call, e.called = b.Allocations[n-1], true
	}
	for _, a := range b.Allocations {
		if a.Status/100 != 2 {
			e.bad++
		}
	}
	if n := len(b.Stages); n > 0 {
		e.last = b.Stages[n-1].Stage
	}
	return e
}

// fill puts what is known into a sentence.
func (e evidence) fill(text string) string {
	return strings.NewReplacer(
		"{status}", fmt.Sprint(e.call.Status),
		"{calls}", fmt.Sprint(len(e.Allocations)),
		"{bad}", fmt.Sprint(e.bad),
		"{named}", e.call.Hub,
		"{hub}", e.Hub,
		"{cached}", e.Cached,
		"{last}", e.last.String(),
	).Replace(text)
}

// judged reports whether the webhook's last answer decided against the device.
func (e evidence) judged() bool {
	return e.called && e.Hub == "" && (e.Outcome == device.OutcomeFailed || e.Verdict == provisioning.Failed)
}

func (e evidence) answered(from, to int) bool {
	return e.judged() && from <= e.call.Status && e.call.Status <= to
}

// said reports whether the boot ended with, or waited for, something that was
// said so.
func (e evidence) said(text string) bool {
	return strings.Contains(e.Error, text) ||
		slices.ContainsFunc(e.Stages, func(s metrics.StageTime) bool { return strings.Contains(s.Why, text) })
}

// likely is a row of the table of causes. The first that holds is told.
type likely struct {
	name    string
	holds   func(evidence) bool
	why, do string
}

func because(c device.Cause) func(evidence) bool {
	return func(e evidence) bool { return e.Cause == c }
}

func ended(o device.Outcome) func(evidence) bool {
	return func(e evidence) bool { return e.Outcome == o }
}

func answered(from, to int) func(evidence) bool {
	return func(e evidence) bool { return e.answered(from, to) }
}

func causes() []likely {
	return slices.Concat(webhookCauses(), serviceCauses(), deviceCauses(), delays())
}

// webhookCauses follow the tutorial's "Troubleshoot custom allocation policies".
func webhookCauses() []likely {
	ok := answered(200, 299)
	return []likely{
		{"function-key", func(e evidence) bool {
			return e.answered(401, 401) || e.Code == provisioning.CustomAllocationUnauthorizedAccess
		},
			"the webhook answered 401: it was called without its function key, or with a wrong one, of which a device hears 400209",
			"put the key into the webhook's URL of the enrollment, as ?code=KEY; a function's keys are in the portal under Function keys"},
		{"webhook-redirects", answered(300, 399),
			"the webhook answered {status}, and DPS follows no redirect",
			"give the enrollment the URL that it redirects to; https instead of http, most often"},
		{"webhook-refused", answered(400, 428),
			"the webhook refused this device: it answered {status}, which DPS does not ask again",
			"look at what it was asked and at what it answered below; the policy knows no such device, or fails on its request"},
		{"webhook-fails", answered(429, 599),
			"the webhook was asked {calls} times and answered {status} in the end",
			"look into the function's own log; 5xx is its error or its host's, 429 its limit"},
		{"webhook-silent", answered(0, 0),
			"the webhook was asked {calls} times and gave no whole answer in the end",
			"check that its URL is the right one and that it runs; a cold start may take longer than DPS waits"},
		{"stale-hub-key", func(e evidence) bool { return e.said("IotHubUnauthorizedAccess") },
			"DPS may not create devices at the hub that was chosen: the hub's key that DPS holds is stale",
			"link the hub to DPS anew; its shared access policy was changed or its keys were regenerated"},
		{"twin-refused", func(e evidence) bool { return ok(e) && e.said("did not take the initial twin") },
			"the hub {named} did not take the initial twin that the webhook gave",
			"keep tags and desired properties to what a hub takes: no arrays of arrays, 8 KB of tags, 32 KB of properties, no dots or dollars in names"},
		{"no-hub", func(e evidence) bool { return e.Code == provisioning.CustomAllocationIotHubNotSpecified },
			"the webhook answered, and named no hub: its iotHubHostName is null, empty or missing",
			"let the function name one of linkedHubs, or refuse the device with a 4xx"},
		{"hub-not-linked", func(e evidence) bool { return ok(e) && e.call.Hub != "" },
			"the webhook named {named}, which is not among the linked hubs that it was asked about",
			"link that hub to DPS and to the enrollment, or let the function choose from linkedHubs"},
		{"not-json", ok,
			"the webhook answered {status}, and not with the JSON that DPS reads",
			"let the function answer an object with iotHubHostName, and initialTwin and payload as objects"},
	}
}

// serviceCauses are DPS's and the hubs' own.
func serviceCauses() []likely {
	return []likely{
		{"disabled", ended(device.OutcomeDisabled),
			"the enrollment that the device belongs to is disabled",
			"enable it, or leave the device out"},
		{"device-key", because(device.CauseUnauthorized),
			"DPS refused the device's key: it is not the one that the enrollment group's key and this registration id make, or no enrollment has the device",
			"derive it with `dpsfleet key` from a key of the group, and mind the case of the registration id"},
		{"certificate-refused", because(device.CauseCertificate),
			"DPS refused the device's certificate",
			"check that the enrollment has it, or the authority that signed it, and that its common name is the registration id"},
		{"certificate-untrusted", because(device.CauseUntrusted),
			"the device does not trust the server's certificate",
			"name its root with --ca FILE, or --server-name where the certificate has another name"},
		{"hub-refused", func(e evidence) bool { return e.Outcome == device.OutcomeRefused && e.last == device.Joining },
			"the hub {hub} refused the device: it does not know it, has it disabled, or has another key for it",
			"see whether the device was deleted or disabled at the hub; registering again gets a device in that was deleted"},
		{"operation-gone", func(e evidence) bool { return e.Code == provisioning.AsyncOperationNotFound },
			"DPS did not know the operation that the device polled for: somebody else registered under this registration id meanwhile, or DPS was started anew",
			"see that no other run or device has these registration ids; a model's registrationId makes them"},
		{"id-scope", because(device.CauseIDScope),
			"CONNACK 3: DPS does not talk to the device, as it does when it does not know the id scope",
			"check the id scope, which is on the overview page of the DPS instance"},
		{"user-name", because(device.CauseConnackRefused),
			"the server refused the device's user name or client id",
			"check the id scope and the registration id"},
	}
}

// deviceCauses are on the way, or on this side.
func deviceCauses() []likely {
	return []likely{
		{"nobody-there", because(device.CauseDialRefused),
			"nobody answered there",
			"check host and port (--endpoint, --gateway), or start a DPS with `dpsfleet emulate`"},
		{"webhook-away", because(device.CauseWebhookAway),
			"nobody answered at the webhook's URL",
			"start it, or check host and port"},
		{"no-websocket", because(device.CauseNoWebSocket),
			"nothing there speaks MQTT over WebSocket",
			"check the port: 443 in Azure, and `dpsfleet emulate --https ADDR`"},
		{"hub-not-declared", ended(device.OutcomeHubNotDeclared),
			"the device was sent to {hub}, which nobody declared, so it was not dialled",
			"name the hub among the scenario's hubs or by --hub, if it is yours"},
		{"dropped", ended(device.OutcomeDropped),
			"the device never started: as many boots as limits.inFlight allows were running",
			"raise limits.inFlight, or let the fleet come more slowly"},
		{"throttled", func(e evidence) bool { return e.said("429001") || e.Code == provisioning.Throttled },
			"DPS throttled the device: more registrations came than its quota allows",
			"let the fleet come more slowly; a DPS takes 1,000 registrations a minute"},
		{"out-of-time", ended(device.OutcomeTimeout),
			"the boot's time was over while it was {last}",
			"see below where the time went; limits.boot says how long a boot may take"},
	}
}

// delays are of boots that got where they were to go, late.
func delays() []likely {
	return []likely{
		{"webhook-failed-first", func(e evidence) bool { return e.Outcome == device.OutcomeAssigned && e.bad > 0 },
			"the webhook failed {bad} of {calls} calls, and DPS asked again: after 1 s, then 10 s, each time 9 s longer",
			"nothing for this device; look at what the function answered below"},
		{"came-back-to-dps", func(e evidence) bool { return e.Cached != "" && e.Verdict != "" },
			"the hub that the device knew, {cached}, did not take it, so it asked DPS again",
			"nothing, if the device was moved or deleted there"},
	}
}
