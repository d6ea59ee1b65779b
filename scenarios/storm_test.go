package scenarios_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/emulator"
)

// TestBootStormShowsWhatBackoffsCost plays the storm with as many devices as a
// bubble takes under -race and a quota that is smaller in proportion: 30 at once,
// and then one every two seconds. Who is naive asks far more often for the same.
func TestBootStormShowsWhatBackoffsCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := small(t, "boot-storm")
		s.Cloud.Quotas = 0.03
		r := inMemory(t, t.Context(), s, "")
		if r.ExitCode() != 0 {
			t.Errorf("exit code %d: %v", r.ExitCode(), r.Failures)
		}
		total := int64(0)
		for _, f := range r.Fleets {
			total += f.Retries
		}
		if throttled := r.Run.Cloud["throttled"]; throttled != total || throttled == 0 {
			t.Errorf("%d were throttled, and %d tried again", throttled, total)
		}
		naive, azure, storm := r.Fleets[0], r.Fleets[1], r.Fleets[2]
		if naive.Retries < 2*azure.Retries || naive.Retries < 2*storm.Retries {
			t.Errorf("naive tried again %d times, azure-default %d, azure-storm %d", naive.Retries, azure.Retries, storm.Retries)
		}
		if naive.MostRetries == 0 || naive.MostRetries > naive.Retries {
			t.Errorf("at most %d of %d", naive.MostRetries, naive.Retries)
		}
	})
}

// The longest pause of azure-storm is that of all devices at the cloud's quota, over
// load, and the jitter comes to as much again: 40 devices at 20 a minute are 2 min.
func TestAzureStormKnowsTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := again(t, "count: 40, backoff: azure-storm")
		s.Cloud.Quotas, s.Cloud.Undocumented.QuotaMeter = 0.02, "bucket"
		s.Cloud.Hubs = map[string]emulator.LinkedHub{toastersHub: {SKU: "S3", Units: 1}}
		for load, most := range map[float64]time.Duration{1: 2*time.Minute + 3*time.Second, 4: 30*time.Second + 3*time.Second} {
			s.Limits.Load = load
			r := inMemory(t, t.Context(), s, "")
			for _, times := range r.Times {
				if times.Metric == "waiting" && times.Min.Duration() > most {
					t.Errorf("load %v: whoever waited least waited %s, want up to %s", load, times.Min, most)
				}
				if times.Metric == "waiting" && load == 1 && times.Max.Duration() < 20*time.Second {
					t.Errorf("load %v: whoever waited most waited %s", load, times.Max)
				}
			}
		}
	})
}
