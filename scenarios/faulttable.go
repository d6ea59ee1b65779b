package scenarios

import (
	"slices"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// FaultUse is a fault that a scenario can have.
type FaultUse struct {
	Name  string   // how do begins
	Takes string   // what follows it; empty for nothing
	At    []string // the places
}

// FaultUses are all that there are.
func FaultUses() []FaultUse {
	var uses []FaultUse
	for _, w := range faultWords() {
		uses = append(uses, FaultUse{Name: w.name, Takes: w.takes, At: w.places()})
	}
	return uses
}

// FaultYield is what a fault comes to at a device. A test boots one for each.
type FaultYield struct {
	At, Do string
	// Lasts is how the boot ends while the fault stays, and Passes how it ends if
	// the fault is over a few seconds after it first touched the device.
	Lasts, Passes Ending
	// Device is what the device does.
	Device string
}

// Ending is how a boot ends.
type Ending struct {
	Outcome device.Outcome
	Code    provisioning.Code // 0 for none
}

// FaultYields is the table.
func FaultYields() []FaultYield {
	return slices.Concat(yieldsAtWebhook(), yieldsAtDPS(), yieldsAtHub())
}

// What devices do.
const (
	hearsLater     = "It hears assigning for longer, and polls on."
	hearsFailed    = "It hears failed at a poll, and gives up."
	hearsAsking    = "It hears assigning. DPS asks again after 1 s, then each time 9 s later, ten times in 415 s, and gives up."
	hearsAskingToo = "As with status 503: DPS asks again where it got no answer too."
	connectsAnew   = "It connects anew, after a pause that grows with each failure, until its boot's time is over."
	asksLater      = "It asks again, after a pause that grows with each failure, until its boot's time is over."
	asksAgain      = "It asks again when it was told to, until its boot's time is over."
	givesUp        = "It gives up."
	triesAFewTimes = "It tries limits.attempts times, with a pause that grows, and gives up."
	waitsInVain    = "It waits limits.answer, 30 s, for each answer, then connects anew, until its boot's time is over."
)

func assigned() Ending { return Ending{Outcome: device.OutcomeAssigned} }

func timeout() Ending { return Ending{Outcome: device.OutcomeTimeout} }

func refused(code provisioning.Code) Ending { return Ending{device.OutcomeRefused, code} }

func failed(code provisioning.Code) Ending { return Ending{device.OutcomeFailed, code} }

func yieldsAtWebhook() []FaultYield {
	refusal := failed(provisioning.CustomAllocationFailed)
	noHub, noKey := failed(provisioning.CustomAllocationIotHubNotSpecified), failed(provisioning.CustomAllocationUnauthorizedAccess)
	return []FaultYield{
		{atWebhook, "latency 2s", assigned(), assigned(), hearsLater},
		{atWebhook, "cold start 20s", assigned(), assigned(), hearsLater},
		{atWebhook, "slow body 5s", assigned(), assigned(), hearsLater},
		{atWebhook, "status 404", refusal, refusal, hearsFailed},
		{atWebhook, "status 401", noKey, noKey, hearsFailed},
		{atWebhook, "status 503", refusal, assigned(), hearsAsking},
		{atWebhook, "malformed json", refusal, refusal, hearsFailed},
		{atWebhook, "not json", refusal, refusal, hearsFailed},
		{atWebhook, "hub not linked", refusal, refusal, hearsFailed},
		{atWebhook, "empty hub", noHub, noHub, hearsFailed},
		{atWebhook, "missing key", noKey, noKey, hearsFailed + " A webhook that asks for no key answers as ever."},
		{atWebhook, "reset", refusal, assigned(), hearsAskingToo},
		{atWebhook, "refused", refusal, assigned(), hearsAskingToo},
		{atWebhook, "dns failure", refusal, assigned(), hearsAskingToo},
	}
}

func yieldsAtDPS() []FaultYield {
	stale := failed(provisioning.UnauthorizedAccess)
	unauthorized, unknown := refused(provisioning.Unauthorized), refused(provisioning.EnrollmentNotFound)
	return []FaultYield{
		{atDPS, "latency 2s", assigned(), assigned(), "Each answer of DPS comes later."},
		{atDPS, "throttle 5s", timeout(), assigned(), asksAgain},
		{atDPS, "status 500", timeout(), assigned(), asksLater},
		{atDPS, "status 401", unauthorized, unauthorized, givesUp},
		{atDPS, "status 404", unknown, unknown, givesUp},
		{atDPS, "connack 3", refused(0), assigned(), triesAFewTimes},
		{atDPS, "connack 5", refused(0), refused(0), givesUp},
		{atDPS, "disconnect", timeout(), assigned(), connectsAnew},
		{atDPS, "silence", timeout(), assigned(), waitsInVain},
		{atDPS, "hub key stale", stale, stale, "It hears assigning for a minute, and then failed."},
		{atDPS, "linked hub unauthorised", stale, stale, "The same under its other name."},
	}
}

func yieldsAtHub() []FaultYield {
	return []FaultYield{
		{atHub, "latency 2s", assigned(), assigned(), "Its CONNACK comes later."},
		{atHub, "unreachable", timeout(), assigned(), connectsAnew},
		{atHub, "connack 3", refused(0), assigned(), triesAFewTimes},
		{atHub, "connack 5", refused(0), refused(0), givesUp},
		{atHub, "disconnect", timeout(), assigned(), "The hub hangs up when it asks for its twin. " + connectsAnew},
		{atHub, "throttle", timeout(), assigned(), "The hub answers 429 when it asks for its twin. " + connectsAnew},
		{atHub, "status 500", timeout(), assigned(), "The hub answers so when it asks for its twin. " + connectsAnew},
		{atHub, "status 400", refused(0), refused(0), "The hub answers so when it asks for its twin. " + givesUp},
		{atHub, "silence", timeout(), assigned(), "The hub does not answer when it asks for its twin. " + waitsInVain},
	}
}
