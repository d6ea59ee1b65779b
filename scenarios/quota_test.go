package scenarios_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/metrics"
)

// TestQuotaStormWaitsAndGetsIn plays the storm with as many devices as a bubble
// takes under -race, and with a quota that is smaller in proportion: 20 a
// minute. So of 45 devices 20 get in at once, 20 after a minute and the rest
// after two, because they wait to the moment as they were told.
func TestQuotaStormWaitsAndGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := small(t, "quota-storm")
		s.Cloud.Quotas = 0.02
		s.Thresholds = nil
		r := inMemory(t, t.Context(), s, "")
		if r.ExitCode() != 0 {
			t.Errorf("exit code %d", r.ExitCode())
		}
		turnedAway := int64((45 - 20) + (45 - 40))
		if n := r.Run.Cloud["throttled"]; n != turnedAway {
			t.Errorf("%d registrations were throttled, want %d", n, turnedAway)
		}
		i := slices.IndexFunc(r.Times, func(t metrics.Times) bool { return t.Metric == "waiting" })
		if i < 0 {
			t.Fatalf("the report shows no waiting: %+v", r.Times)
		}
		waiting := r.Times[i]
		if waiting.Count != 25 || time.Duration(waiting.Max).Round(time.Second) != 2*time.Minute {
			t.Errorf("%d devices waited, the longest %v; want 25 and 2 m", waiting.Count, waiting.Max)
		}
	})
}

// TestHubsOfAScenario has a near hub, a far one, and one whose key is stale.
func TestHubsOfAScenario(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := read(t, `
name: hubs
cloud:
  linkedHubs: [near.example, far.example, stale.example]
  hubs:
    near.example: {latency: {eu: 20ms, us: 90ms}}
    far.example: {latency: {eu: 90ms, us: 20ms..30ms}}
    stale.example: {unauthorized: true}
  enrollmentGroups:
    by-latency: {allocationPolicy: geoLatency}
    z-stale: {allocationPolicy: static, iotHubs: [stale.example]}
models:
  eu: {registrationId: "eu{{.N}}", payload: {region: eu}}
  us: {registrationId: "us{{.N}}", payload: {region: us}}
  old: {registrationId: "old{{.N}}"}
fleets:
  europe: {model: eu, count: 10, expect: {hub: near.example}}
  america: {model: us, count: 10, expect: {hub: far.example}}
  old: {model: old, count: 3, enrollmentGroup: z-stale, expect: {outcome: failed, code: 401002}}
thresholds: [old assigning min >= 60s]
`)
		if r := inMemory(t, t.Context(), s, ""); r.ExitCode() != 0 {
			t.Errorf("exit code %d: %+v %+v", r.ExitCode(), r.Expectations, r.Thresholds)
		}
	})
}
