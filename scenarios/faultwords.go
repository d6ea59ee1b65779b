package scenarios

import (
	"net/http"

	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
)

// Words that are looked at by name.
const (
	wordLatency = "latency"
	wordStatus  = "status"
)

// faultWords are all faults that there are. It is a function so that nobody
// changes the table.
func faultWords() []faultWord {
	asked := []emulator.FaultPoint{emulator.FaultAtRegistration, emulator.FaultAtPoll}
	only := func(p emulator.FaultPoint) []emulator.FaultPoint { return []emulator.FaultPoint{p} }
	registering, twin := only(emulator.FaultAtRegistration), only(emulator.FaultAtTwin)
	assigning := only(emulator.FaultAtAssignment)
	connecting, joining := only(emulator.FaultAtConnect), only(emulator.FaultAtHubConnect)
	return []faultWord{
		{name: wordLatency, takes: "2s | 1s..5s | p50 200ms p99 3s", read: readLatency, webhook: ofDevice, dps: asked, hub: joining, cloud: same(emulator.Fault{})},
		{name: "cold start", takes: "20s [after 5m]", read: readColdStart, webhook: coldStart},
		{name: wordStatus, takes: "N", read: readNumber(200, 599), webhook: answerStatus, dps: asked, hub: twin, cloud: refuseWith},
		{name: "malformed json", read: readNothing, webhook: answer(allocation.MalformedJSON)},
		{name: "not json", read: readNothing, webhook: answer(allocation.NotJSON)},
		{name: "hub not linked", read: readNothing, webhook: answer(allocation.HubNotLinked)},
		{name: "empty hub", read: readNothing, webhook: answer(allocation.EmptyHub)},
		{name: "missing key", read: readNothing, webhook: func(FaultAction) allocation.Fault { return allocation.WithoutKey }},
		{name: "slow body", takes: "5s", read: readDuration, webhook: slowBody},
		{name: "reset", read: readNothing, webhook: unreached(allocation.Reset)},
		{name: "refused", read: readNothing, webhook: unreached(allocation.Refused)},
		{name: "dns failure", read: readNothing, webhook: unreached(allocation.NoSuchHost)},
		{name: "throttle", takes: "[5s]", read: readRetryAfter, dps: asked, hub: twin, cloud: throttle},
		{name: "connack", takes: "N", read: readNumber(1, 5), dps: connecting, hub: joining, cloud: connack},
		{name: "disconnect", read: readNothing, dps: registering, hub: twin, cloud: same(emulator.Fault{HangUp: true})},
		{name: "silence", read: readNothing, dps: asked, hub: twin, cloud: same(emulator.Fault{Silent: true})},
		{name: "hub key stale", read: readNothing, dps: assigning, cloud: same(emulator.Fault{StaleHub: true})},
		{name: "linked hub unauthorised", read: readNothing, dps: assigning, cloud: same(emulator.Fault{StaleHub: true})},
		{name: "unreachable", read: readNothing, hub: joining, cloud: same(emulator.Fault{HangUp: true})},
	}
}

func same(f emulator.Fault) func(FaultAction) emulator.Fault {
	return func(FaultAction) emulator.Fault { return f }
}

func refuseWith(a FaultAction) emulator.Fault { return emulator.Fault{Status: a.number} }

func throttle(a FaultAction) emulator.Fault {
	return emulator.Fault{Status: http.StatusTooManyRequests, RetryAfter: a.start}
}

func connack(a FaultAction) emulator.Fault { return emulator.Fault{Connack: byte(a.number)} }

func answer(body string) func(FaultAction) allocation.Fault {
	return func(FaultAction) allocation.Fault { return allocation.Answering(http.StatusOK, body) }
}

func answerStatus(a FaultAction) allocation.Fault { return allocation.Answering(a.number, "") }

func unreached(why func(host string) error) func(FaultAction) allocation.Fault {
	return func(FaultAction) allocation.Fault { return allocation.Unreached(why) }
}

func slowBody(a FaultAction) allocation.Fault { return allocation.SlowBody(a.start) }

func coldStart(a FaultAction) allocation.Fault { return allocation.ColdStart(a.start, a.idle) }

// ofDevice is the webhook's latency, which depends on the device: see
// faults.ofWebhook.
func ofDevice(FaultAction) allocation.Fault { return nil }
