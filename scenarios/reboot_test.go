package scenarios_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

const toastersHub = "contoso-toasters-hub.azure-devices.net"

// again is oneToaster with a fleet of other words.
func again(t *testing.T, fleet string) scenarios.Scenario {
	t.Helper()
	return read(t, strings.Replace(oneToaster, "{model: toaster, count: 1}", "{model: toaster, "+fleet+"}", 1))
}

// logged plays a scenario in a bubble, stopped after a time, and returns its report and the boots of its
// log, by device and then by number.
func logged(t *testing.T, stopAfter time.Duration, s scenarios.Scenario) (report metrics.Report, boots []metrics.Boot) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "x.ndjson")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), stopAfter)
		defer cancel()
		report = inMemory(t, ctx, s, log)
	})
	for b, err := range metrics.ReadLog(log) {
		if err != nil {
			t.Fatal(err)
		}
		boots = append(boots, b)
	}
	slices.SortFunc(boots, func(a, b metrics.Boot) int {
		if a.ID != b.ID {
			return strings.Compare(a.ID, b.ID)
		}
		return a.Boot - b.Boot
	})
	if report.Due != report.Accounted || report.Accounted != len(boots) {
		t.Errorf("%d due, %d accounted for, %d lines", report.Due, report.Accounted, len(boots))
	}
	return report, boots
}

// said is a boot in short: its number, when it was due after the first one, whether
// it knew a hub, whether DPS was asked, how it ended and after how long.
func said(first time.Time, b metrics.Boot) string {
	parts := []string{fmt.Sprintf("%d at %s", b.Boot, b.Due.Sub(first))}
	if b.Cached != "" {
		parts = append(parts, "knew")
	}
	if b.Verdict != "" {
		parts = append(parts, "asked")
	}
	return strings.Join(append(parts, string(b.Outcome), b.Took().Duration().String()), " ")
}

// Every boot is due so long after the one before has ended, with the hub that the
// device knows, or, after a factory reset, without one. To the moment.
func TestReboots(t *testing.T) {
	tests := map[string]struct {
		fleet string
		boots []string
	}{
		"with the hub that it knows": {
			"count: 1, reboots: {after: 10s}",
			[]string{"1 at 0s asked assigned 6.05s", "2 at 16.05s knew assigned 0s"},
		},
		"after a factory reset": {
			"count: 1, reboots: [{after: 10s}, {after: 5s, factoryReset: 100%}]",
			[]string{"1 at 0s asked assigned 6.05s", "2 at 16.05s knew assigned 0s", "3 at 21.05s asked assigned 6.05s"},
		},
		"three times": {
			"count: 1, reboots: {times: 3, after: 1m}",
			[]string{"1 at 0s asked assigned 6.05s", "2 at 1m6.05s knew assigned 0s", "3 at 2m6.05s knew assigned 0s", "4 at 3m6.05s knew assigned 0s"},
		},
		"after its stay": {
			"count: 1, until: online, stay: 1m, reboots: {after: 10s}",
			[]string{"1 at 0s asked assigned 6.05s", "2 at 1m16.05s knew assigned 0s"},
		},
		"until assigned is about DPS": {
			"count: 1, until: assigned, reboots: {after: 10s}",
			[]string{"1 at 0s asked assigned 6.05s", "2 at 16.05s asked assigned 6.05s"},
		},
		"after a power cut": {
			"count: 2, arrive: constant 1/s, until: online, stay: 1m, reboots: {powerCut: 30s, after: 10s}",
			[]string{
				"1 at 0s asked assigned 6.05s", "2 at 40s knew assigned 0s",
				"1 at 1s asked assigned 6.05s", "2 at 41s knew assigned 0s",
			},
		},
		"after two of them": {
			"count: 1, until: online, stay: 1m, reboots: [{powerCut: 30s, after: 0s}, {powerCut: 50s, after: 5s}, {after: 10s}]",
			[]string{"1 at 0s asked assigned 6.05s", "2 at 30s knew assigned 0s", "3 at 55s knew assigned 0s", "4 at 2m5s knew assigned 0s"},
		},
		"with an earlier life": {
			"count: 1, cached: {hub: " + toastersHub + "}, reboots: {after: 10s}",
			[]string{"1 at 0s knew assigned 0s", "2 at 10s knew assigned 0s"},
		},
		"whom its hub has forgotten": {
			"count: 1, cached: {hub: " + toastersHub + ", forgotten: 100%}, reboots: {after: 10s}",
			[]string{"1 at 0s knew asked assigned 6.05s", "2 at 16.05s knew assigned 0s"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, boots := logged(t, time.Hour, again(t, test.fleet+", expect: {hub: \"*-toasters-*\"}"))
			var got []string
			for _, b := range boots {
				got = append(got, said(boots[0].Due, b))
			}
			if !slices.Equal(got, test.boots) {
				t.Errorf("boots\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.boots, "\n"))
			}
			if r.ExitCode() != 0 || r.Run.Reconciliation.Differing != 0 || r.Due != len(test.boots) {
				t.Errorf("exit code %d, %d due, %+v, %v", r.ExitCode(), r.Due, r.Run.Reconciliation, r.Failures)
			}
		})
	}
}

// A device that failed comes again too, and asks DPS again.
func TestFailedBootsAreFollowedByOthers(t *testing.T) {
	s := again(t, "count: 1, reboots: {after: 10s}, expect: [{outcome: failed, code: CustomAllocationFailed}, {outcome: assigned}]")
	s.Faults = mustFaults(t, "[{at: webhook, during: 0s..10s, do: status 400}]")
	r, boots := logged(t, time.Hour, s)
	if r.ExitCode() != 0 || len(boots) != 2 || boots[0].Outcome != "failed" || boots[1].Outcome != "assigned" || boots[1].Cached != "" {
		t.Errorf("exit code %d: %+v", r.ExitCode(), boots)
	}
}

func mustFaults(t *testing.T, text string) []scenarios.Fault {
	t.Helper()
	return read(t, oneToaster+"faults: "+text+"\n").Faults
}

// Whoever stops a run ends the boots that are under way; those that were not due
// are not in the log.
func TestInterruptedReboots(t *testing.T) {
	s := again(t, "count: 4, reboots: {times: 5, after: 10s}")
	r, boots := logged(t, 30*time.Second, s)
	// Boots at 0 s, 16.05 s and 26.05 s; the next would be due at 36.05 s.
	if r.ExitCode() != 130 || len(boots) != 12 {
		t.Errorf("exit code %d, %d boots", r.ExitCode(), len(boots))
	}
}

// The draws of pauses and resets depend on the seed and the device alone.
func TestRebootsOfOneSeedAreTheSame(t *testing.T) {
	play := func(seed uint64) (out []string) {
		s := again(t, "count: 20, reboots: {times: 2, after: 10s..1m, factoryReset: 30%}")
		s.Seed = seed
		_, boots := logged(t, time.Hour, s)
		for _, b := range boots {
			out = append(out, b.ID+" "+said(boots[0].Due, b))
		}
		return out
	}
	first := play(7)
	if second := play(7); !slices.Equal(first, second) {
		t.Errorf("two runs of one seed differ:\n%s\n\n%s", strings.Join(first, "\n"), strings.Join(second, "\n"))
	}
	if other := play(8); slices.Equal(first, other) {
		t.Error("another seed makes the same run")
	}
	asked := 0
	for _, line := range first {
		if strings.Contains(line, " asked ") {
			asked++
		}
	}
	if asked < 20+4 || asked > 20+24 {
		t.Errorf("%d of 60 boots asked DPS, want 20 and some 12 of 40", asked)
	}
}

// A device may boot while another one of its run is refused its place; what was
// dropped does not boot again.
func TestDroppedDevicesDoNotBootAgain(t *testing.T) {
	s := again(t, "count: 3, reboots: {after: 10s}")
	s.Limits.InFlight = 1
	r, boots := logged(t, time.Hour, s)
	if r.Dropped != 2 || len(boots) != 4 {
		t.Errorf("%d dropped, %d boots", r.Dropped, len(boots))
	}
}

// What the report of a log says of reboots is what the run said.
func TestLogOfRebootsReportsTheSame(t *testing.T) {
	log := filepath.Join(t.TempDir(), "x.ndjson")
	var first metrics.Report
	synctest.Test(t, func(t *testing.T) {
		first = inMemory(t, t.Context(), again(t, "count: 3, reboots: [{after: 10s}, {after: 1s, factoryReset: 100%}], expect: {hub: \"*-toasters-*\", tags: {deviceType: toaster}}"), log)
	})
	second, err := metrics.ReportLog(log)
	if err != nil {
		t.Fatal(err)
	}
	first.Log, second.Log = "", ""
	if a, b := fmt.Sprintf("%+v", first.Fleets), fmt.Sprintf("%+v", second.Fleets); a != b || first.ExitCode() != 0 || second.ExitCode() != 0 {
		t.Errorf("exit codes %d and %d\n%s\n%s", first.ExitCode(), second.ExitCode(), a, b)
	}
}

func TestOutlookCountsBoots(t *testing.T) {
	o := again(t, "count: 100, cached: {hub: "+toastersHub+", forgotten: 10%}, reboots: [{after: 1s, times: 2}, {after: 1s, factoryReset: 20%}]").Outlook()
	if o.Boots != 400 || o.Fleets[0].Boots != 4 || o.Plan.Devices != 100 {
		t.Errorf("outlook %+v", o)
	}
	for _, l := range o.Limits {
		want := 2 * time.Second // 30 that ask DPS, at 1,000 a minute
		if l.OfBoots && l.PerUnit == 6000 {
			want = 4 * time.Second // 400 connections, at 100 a second
		}
		if (l.PerUnit == 1000 || l.PerUnit == 6000) && l.Takes != want {
			t.Errorf("%s: takes %s, want %s", l.Name, l.Takes, want)
		}
	}
}

// Where the guard bounds the rate, boots after the first keep to it too: all boots
// of the run together, whoever's they are.
func TestRebootsKeepToTheGuardsRate(t *testing.T) {
	s := read(t, `
name: elsewhere
cloud:
  linkedHubs: [contoso-toasters-hub.azure-devices.net]
  enrollmentGroups: {g: {webhookUrl: "http://function.example/api/x"}}
limits: {boot: 1s}
fleets: {f: {model: toaster, count: 20, reboots: {times: 2, after: 0s}, expect: {outcome: timeout}}}
`)
	var dues []time.Time
	log := filepath.Join(t.TempDir(), "x.ndjson")
	synctest.Test(t, func(t *testing.T) {
		env := scenarios.Env{Network: scenarios.NetworkMemory, Version: "test", LogPath: log, TargetIsMine: "function.example"}
		if _, err := scenarios.Run(t.Context(), s, env); err != nil {
			t.Error(err)
		}
	})
	for b, err := range metrics.ReadLog(log) {
		if err != nil {
			t.Fatal(err)
		}
		dues = append(dues, b.Due)
	}
	slices.SortFunc(dues, time.Time.Compare)
	if len(dues) != 60 {
		t.Fatalf("%d boots, want 60", len(dues))
	}
	for i := range dues[1:] {
		if gap := dues[i+1].Sub(dues[i]); gap < 62*time.Millisecond {
			t.Errorf("boots %d and %d are due %s apart; 16 a second are let in", i, i+1, gap)
		}
	}
}
