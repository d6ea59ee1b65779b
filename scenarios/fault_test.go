package scenarios_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

// oneFaulty is a toaster whose webhook asks for a key, and a fault.
const oneFaulty = `
name: one-faulty
cloud:
  linkedHubs: [contoso-toasters-hub.azure-devices.net]
  enrollmentGroups: {g: {policy: contoso, functionKey: required}}
fleets:
  f: {model: toaster, count: 1, expect: {outcome: %s}}
faults: [{at: %s, do: %s%s}]
`

// ending plays a toaster's boot with a fault, and returns how it ended.
func ending(t *testing.T, row scenarios.FaultYield, want scenarios.Ending, during string) (ended scenarios.Ending, unmet []string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "x.ndjson")
	synctest.Test(t, func(t *testing.T) {
		s := read(t, fmt.Sprintf(oneFaulty, want.Outcome, row.At, row.Do, during))
		unmet = inMemory(t, t.Context(), s, log).Run.Faults
	})
	for _, line := range logLines(t, log) {
		outcome, _ := line["outcome"].(string)
		code, _ := line["code"].(float64)
		ended = scenarios.Ending{Outcome: want.Outcome, Code: provisioning.Code(code)}
		if outcome != string(want.Outcome) {
			t.Errorf("it ended %s: %v", outcome, line["error"])
		}
	}
	return ended, unmet
}

// What `dpsfleet help faults` prints is what becomes of a device.
func TestFaultYieldsWhatTheTableSays(t *testing.T) {
	for _, row := range scenarios.FaultYields() {
		few := ", during: 0s..3s"
		if row.At == "hub" {
			few = ", during: 0s..10s" // it comes there after 6 s
		}
		for during, want := range map[string]scenarios.Ending{"": row.Lasts, few: row.Passes} {
			t.Run(row.At+" "+row.Do+during, func(t *testing.T) {
				got, untouched := ending(t, row, want, during)
				if got != want || len(untouched) > 0 {
					t.Errorf("it ended %v, want %v; %q", got, want, untouched)
				}
			})
		}
	}
}

func TestTableHasEveryFaultAtEveryPlace(t *testing.T) {
	rows := scenarios.FaultYields()
	for _, use := range scenarios.FaultUses() {
		for _, at := range use.At {
			has := func(r scenarios.FaultYield) bool { return r.At == at && strings.HasPrefix(r.Do, use.Name) }
			if !slices.ContainsFunc(rows, has) {
				t.Errorf("%s at %s is not in the table", use.Name, at)
			}
		}
	}
}

// A share is the same devices in every run with a seed, and about as many as it
// says.
func TestShareOfDevicesIsTheSameEachTime(t *testing.T) {
	play := func(seed uint64) []string {
		log := filepath.Join(t.TempDir(), "x.ndjson")
		synctest.Test(t, func(t *testing.T) {
			s := read(t, strings.Replace(fmt.Sprintf(oneFaulty, "failed", "webhook", "status 404", ", share: 30%"), "count: 1", "count: 40", 1))
			s.Seed = seed
			inMemory(t, t.Context(), s, log)
		})
		var failed []string
		for _, line := range logLines(t, log) {
			if line["outcome"] == "failed" {
				failed = append(failed, line["registrationId"].(string))
			}
		}
		slices.Sort(failed)
		return failed
	}
	first := play(7)
	if n := len(first); n < 6 || n > 18 {
		t.Errorf("30%% of 40 devices are %d", n)
	}
	if again := play(7); !slices.Equal(first, again) {
		t.Errorf("two runs of one seed: %v and %v", first, again)
	}
	if other := play(8); slices.Equal(first, other) {
		t.Error("another seed has the same devices")
	}
}

// What no device can meet is found before a run.
func TestFaultsOutOfReach(t *testing.T) {
	const hashed = "name: x\ncloud: {linkedHubs: [h], enrollmentGroups: {g: {allocationPolicy: hashed}}}\n"
	const elsewhere = "name: x\ntarget: {dps: 'localhost:8883', idScope: s}\n"
	const policy = "name: x\ncloud: {linkedHubs: [h], enrollmentGroups: {g: {policy: contoso}}}\n"
	tests := []struct{ name, text, says string }{
		{"NobodyCallsAWebhook", hashed + "fleets: {f: {model: toaster, count: 1}}\nfaults: [{at: webhook, do: reset}]\n", "nobody calls a webhook"},
		{"TargetElsewhere", elsewhere + "fleets: {f: {model: toaster, count: 1}}\nfaults: [{at: dps, do: throttle}]\n", "a cloud of ours"},
		{"NobodyComesToAHub", policy + "fleets: {f: {model: toaster, count: 1, until: assigned}}\nfaults: [{at: hub, do: silence}]\n", "none comes to a hub"},
		{"OverBeforeTheyCome", policy + "fleets: {f: {model: toaster, count: 1, start: 9s}}\nfaults: [{at: dps, do: silence, during: 1s..9s}]\n", "4:41: faults[0].during: is over before"},
		{"WhenAllHaveEnded", policy + "fleets: {f: {model: toaster, count: 1}}\nfaults: [{at: dps, do: silence, during: 11m..12m}]\n", "have ended"},
		{"ShareOfNobody", policy + "fleets: {f: {model: toaster, count: 1}}\nfaults: [{at: dps, do: silence, share: 0.001%}]\n", "none of these devices"},
		{"WrongPlace", policy + "fleets: {f: {model: toaster, count: 1}}\nfaults: [{at: webhook, do: connack 3}]\n", "it is one at: dps, hub"},
		{"NoError", policy + "fleets: {f: {model: toaster, count: 1}}\nfaults: [{at: dps, do: status 302}]\n", "302 is none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := scenarios.Read("test.yaml", []byte(test.text), nil)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want something with %q", err, test.says)
			}
		})
	}
}

func TestParseFaultAction(t *testing.T) {
	for text, says := range map[string]string{
		"status 503": "", "connack 3": "", "latency 2s": "", "latency 1s..5s": "", "latency p50 200ms p99 3s": "",
		"cold start 20s": "", "cold start 20s after 5m": "", "slow body 5s": "", "throttle": "", "throttle 5s": "",
		"status":                     "from 200 to 599",
		"connack 6":                  "from 1 to 5",
		"latency soon":               "no latency",
		"latency p50 3s p99 200ms":   "does not rise",
		"latency p90 3s p99 4s":      "no distribution",
		"latency p50 1s p40 4s":      "quantile above p50",
		"latency 3h":                 "no latency",
		"cold start":                 "duration is missing",
		"throttle 500ms":             "whole seconds",
		"reset now":                  "too much",
		"malformd json":              `was "malformed json" meant`,
		"stats 503":                  `was "status" meant`,
		"explode":                    "dpsfleet help faults",
		"":                           "not a fault",
		"statusbar":                  "not a fault",
		strings.Repeat("status", 99): "not a fault",
	} {
		a, err := scenarios.ParseFaultAction(text)
		if says == "" && (err != nil || a.String() != text) {
			t.Errorf("%q: got %q, %v", text, a, err)
		}
		if says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: got %v, want something with %q", text, err, says)
		}
	}
}

func FuzzParseFaultAction(f *testing.F) {
	for _, row := range scenarios.FaultYields() {
		f.Add(row.Do)
	}
	f.Add("latency p50 1ns p50.0001 1h")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := scenarios.ParseFaultAction(text)
		if err != nil {
			return
		}
		if again, err := scenarios.ParseFaultAction(a.String()); err != nil || again != a {
			t.Errorf("%q is read again as %q: %v", text, again, err)
		}
	})
}
