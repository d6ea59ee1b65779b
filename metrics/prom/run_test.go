package prom_test

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/prom"
	"dpsfleet/scenarios"
)

// What is scraped after a run is what its report says, number for number.
func TestScrapeAgreesWithTheSummary(t *testing.T) {
	for name, scale := range map[string]float64{"contoso-mixed": 0.045, "webhook-down": 0.7, "disabled-device": 1, "missing-function-key": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := prom.New()
				r := played(t, shipped(t, name, scale), scenarios.Env{Network: scenarios.NetworkMemory, Folds: []metrics.Fold{m.Fold()}})
				if r.Due == 0 || r.Due != r.Accounted {
					t.Fatalf("%d due, %d accounted for", r.Due, r.Accounted)
				}
				scraped := scrape(t, m.Handler())
				if scraped["go_goroutines"] == 0 || scraped["process_cpu_seconds_total"] == 0 {
					t.Error("Go and the process are not there")
				}
				agree(t, scraped, r)
			})
		})
	}
}

// agree holds every number of a scrape against the report.
func agree(t *testing.T, scraped samples, r metrics.Report) {
	t.Helper()
	left := scraped.ours()
	want := func(name string, value float64) {
		t.Helper()
		got, ok := left[name]
		if !ok || math.Abs(got-value) > 1e-9*math.Max(1, value) {
			t.Errorf("%s is %v (%t), the report says %v", name, got, ok, value)
		}
		delete(left, name)
	}
	info := r.Run
	want(fmt.Sprintf(`dpsfleet_run_info{scenario="%s",seed="%d",target="%s",version="test"}`, info.Scenario, info.Seed, info.Target), 1)
	for _, result := range r.Thresholds {
		want(fmt.Sprintf(`dpsfleet_threshold_met{threshold="%s"}`, result.Threshold), map[bool]float64{true: 1}[result.Met])
	}
	calls := 0.0
	for i, f := range r.Fleets {
		own := fmt.Sprintf(`{fleet="%s"}`, f.Name)
		want("dpsfleet_boots_planned"+own, float64(info.Fleets[i].Count))
		want("dpsfleet_boots_begun_total"+own, float64(f.Due))
		want("dpsfleet_unexpected_total"+own, float64(f.Unexpected))
		agreeOnBoots(t, left, f)
		calls += agreeOnTimes(t, scraped, left, f)
	}
	agreeOnCloud(t, left, info, calls)
	for name, value := range left {
		t.Errorf("%s %v is not in the report", name, value)
	}
}

func agreeOnBoots(t *testing.T, left samples, f metrics.FleetReport) {
	t.Helper()
	places, outcomes := make(map[string]int), make(map[device.Outcome]int)
	for name, n := range left {
		if label(name, "fleet") != f.Name {
			continue
		}
		if strings.HasPrefix(name, "dpsfleet_devices{") {
			if n != 0 { // all have left
				t.Errorf("%s %v after the run", name, n)
			}
			delete(left, name)
		}
		if strings.HasPrefix(name, "dpsfleet_boots_total{") {
			places[label(name, "hub")+label(name, "code")+" "+label(name, "outcome")] += int(n)
			outcomes[device.Outcome(label(name, "outcome"))] += int(n)
			delete(left, name)
		}
	}
	if !maps.Equal(outcomes, f.Outcomes) {
		t.Errorf("%s: outcomes %v, the report says %v", f.Name, outcomes, f.Outcomes)
	}
	want := make(map[string]int)
	for _, p := range f.Places {
		place, _, _ := strings.Cut(p.Name, " ") // a code's number
		if place == string(p.Outcome) {
			place = ""
		}
		want[place+" "+string(p.Outcome)] += p.Count
	}
	if !maps.Equal(places, want) {
		t.Errorf("%s: places %v, the report says %v", f.Name, places, want)
	}
}

// agreeOnTimes returns how many calls of the webhook the report knows of.
func agreeOnTimes(t *testing.T, scraped, left samples, f metrics.FleetReport) (calls float64) {
	t.Helper()
	stages := map[string]string{
		"dial": "dialing", "tls": "securing", "register": "registering", "assigning": "assigning",
		"join": "joining", "twin": "twinning", "waiting": "waiting",
	}
	for _, times := range f.Times {
		family, labels := "dpsfleet_"+times.Metric+"_seconds", fmt.Sprintf(`{fleet="%s"}`, f.Name)
		if stage, ok := stages[times.Metric]; ok {
			family, labels = "dpsfleet_stage_duration_seconds", fmt.Sprintf(`{fleet="%s",stage="%s"}`, f.Name, stage)
		}
		if times.Metric == "webhook" {
			calls = float64(times.Count)
			continue
		}
		n := float64(times.Count)
		if got := left[family+"_count"+labels]; got != n {
			t.Errorf("%s_count%s %v, the report says %v", family, labels, got, n)
		}
		// The report's average is cut to the microsecond.
		if got := left[family+"_sum"+labels]; math.Abs(got-times.Avg.Duration().Seconds()*n) > 1.1e-6*n {
			t.Errorf("%s_sum%s %v, the report says %v times %v", family, labels, got, n, times.Avg)
		}
		agreeOnBuckets(t, scraped, family+"_bucket"+strings.TrimSuffix(labels, "}")+`,le="`, times)
		delete(left, family+"_count"+labels)
		delete(left, family+"_sum"+labels)
	}
	for name, n := range left { // made at the start, for fleets that have none
		if label(name, "fleet") == f.Name && n == 0 && strings.Contains(name, "_seconds_") {
			delete(left, name)
		}
	}
	return calls
}

// agreeOnBuckets puts each percentile of the report into its bucket; those are
// good to 0.1 %.
func agreeOnBuckets(t *testing.T, scraped samples, prefix string, times metrics.Times) {
	t.Helper()
	seen := 0
	for name, below := range scraped {
		text, ok := strings.CutPrefix(name, prefix)
		if !ok || strings.HasPrefix(text, "+Inf") {
			continue
		}
		seen++
		var le float64
		if _, err := fmt.Sscan(strings.TrimSuffix(text, `"}`), &le); err != nil {
			t.Fatal(name, err)
		}
		for _, q := range []struct {
			percent float64
			at      metrics.Millis
		}{{0, times.Min}, {50, times.P50}, {90, times.P90}, {95, times.P95}, {99, times.P99}, {100, times.Max}} {
			at, share := q.at.Duration().Seconds(), q.percent/100*float64(times.Count)
			if le > at*1.002 && below < math.Floor(share) || le < at*0.998 && below > math.Ceil(share) {
				t.Errorf("%s %v of %d, but p%v is %v", name, below, times.Count, q.percent, q.at)
			}
		}
	}
	if seen == 0 {
		t.Errorf("no bucket %s", prefix)
	}
}

func agreeOnCloud(t *testing.T, left samples, info metrics.RunInfo, calls float64) {
	t.Helper()
	sums := make(map[string]float64)
	for name, n := range left {
		family, _, _ := strings.Cut(name, "{")
		switch family {
		case "dpsfleet_emulator_exchanges_total", "dpsfleet_emulator_exchange_duration_seconds_count":
			sums[family+" "+label(name, "kind")] += n
		case "dpsfleet_emulator_registrations_total":
			sums[family+" "+label(name, "outcome")] += n
		case "dpsfleet_webhook_requests_total", "dpsfleet_webhook_duration_seconds_count":
			sums[family] += n
		case "dpsfleet_emulator_exchange_duration_seconds_sum", "dpsfleet_webhook_duration_seconds_sum":
		default:
			continue
		}
		delete(left, name)
	}
	told := sums["dpsfleet_emulator_exchanges_total told"]
	for name, want := range map[string]float64{
		"dpsfleet_webhook_requests_total":                            calls,
		"dpsfleet_webhook_duration_seconds_count":                    calls,
		"dpsfleet_emulator_registrations_total assigned":             float64(info.Cloud["assigned"]),
		"dpsfleet_emulator_registrations_total failed":               float64(info.Cloud["failed"]),
		"dpsfleet_emulator_registrations_total disabled":             float64(info.Cloud["disabled"]),
		"dpsfleet_emulator_exchanges_total register":                 float64(info.Cloud["registrations"]),
		"dpsfleet_emulator_exchanges_total poll":                     float64(info.Cloud["polls"]) - told,
		"dpsfleet_emulator_exchanges_total join":                     float64(info.Cloud["joins"]),
		"dpsfleet_emulator_exchange_duration_seconds_count twin":     float64(info.Cloud["twinReads"]),
		"dpsfleet_emulator_exchange_duration_seconds_count register": float64(info.Cloud["registrations"]),
	} {
		if sums[name] != want {
			t.Errorf("%s is %v, the report says %v", name, sums[name], want)
		}
	}
	if calls != float64(info.Cloud["webhookCalls"]) {
		t.Errorf("%v calls in the times, %d in the cloud's totals", calls, info.Cloud["webhookCalls"])
	}
}

// A log, scraped again by its own clock, ends with the numbers of its report.
func TestLogAgreesWithItsReport(t *testing.T) {
	log := filepath.Join(t.TempDir(), "run.ndjson")
	synctest.Test(t, func(t *testing.T) {
		played(t, shipped(t, "contoso-mixed", 0.045), scenarios.Env{Network: scenarios.NetworkMemory, LogPath: log})
	})
	r, err := metrics.ReportLog(log)
	if err != nil {
		t.Fatal(err)
	}
	last := parse(t, strings.NewReader(openMetrics(t, log)))
	// What a log cannot tell is not there, and is not asked for.
	for name := range last {
		for _, absent := range []string{"dpsfleet_boots_begun", "dpsfleet_devices", "dpsfleet_emulator", "go_", "process_"} {
			if strings.HasPrefix(name, absent) {
				t.Errorf("%s in a log's metrics", name)
			}
		}
	}
	for _, f := range r.Fleets {
		last[fmt.Sprintf(`dpsfleet_boots_begun_total{fleet="%s"}`, f.Name)] = float64(f.Due)
	}
	calls := r.Run.Cloud["webhookCalls"]
	r.Run.Cloud = map[string]int64{"webhookCalls": calls}
	agree(t, last, r)
	if slices.Max(slices.Collect(maps.Values(last))) == 0 {
		t.Error("nothing was counted")
	}
}
