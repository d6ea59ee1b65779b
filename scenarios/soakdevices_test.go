package scenarios_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

// A fleet that is held for long: it reports, renews its tokens, and is switched off
// and on again, with a factory reset now and then.
const held = `
name: held
cloud:
  linkedHubs: [contoso-toasters-hub.azure-devices.net]
  enrollmentGroups: {g: {policy: contoso}}
limits: {token: %s}
tls: {resume: true}
fleets:
  f:
    model: toaster
    count: %d
    arrive: constant %d/s
    until: online
    stay: %s
    telemetry: %s
    reboots: {times: 1000, after: 100ms..3s, factoryReset: 20%%}
`

// Devices that are held keep memory flat: for hours in a bubble, and as long as
// make soak says over TLS.
func TestHeldDevicesKeepMemoryFlat(t *testing.T) {
	if text := os.Getenv(soakEnv); text != "" {
		length, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		s := quick(read(t, fmt.Sprintf(held, "20s", 500, 100, "40s", "1s")))
		isFlat(t, s, scenarios.Env{}, flat{length: length, early: min(2*time.Minute, length/4)})
		return
	}
	synctest.Test(t, func(t *testing.T) {
		s := read(t, fmt.Sprintf(held, "3m", 20, 1, "6m", "30s"))
		isFlat(t, s, scenarios.Env{Network: scenarios.NetworkMemory}, flat{length: 6 * time.Hour, early: time.Hour})
	})
}

// flat is how long a run goes on, and when its memory is measured first.
type flat struct{ length, early time.Duration }

// isFlat plays a run for so long. On average over its last tenth it may have a tenth
// more in the heap than over the tenth after early, or half a megabyte, which is no
// device's.
func isFlat(t *testing.T, s scenarios.Scenario, env scenarios.Env, f flat) {
	t.Helper()
	var first, last average
	next := f.early
	env.Progress = func(p metrics.Progress) {
		if p.Elapsed < next {
			return
		}
		next += f.length / 60
		switch {
		case p.Elapsed < f.early+f.length/10:
			first.add(heap())
		case p.Elapsed >= f.length-f.length/10:
			last.add(heap())
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), f.length)
	defer cancel()
	r, err := scenarios.Run(ctx, s, env)
	if err != nil || first.n == 0 || last.n == 0 || r.Due != r.Accounted || !r.Run.Health.Valid() || r.Run.Reconciliation.Differing > 0 {
		t.Fatal(err, r.Verdict(), r.Due, r.Accounted, r.Failures, r.Run.Health.Limits)
	}
	m := r.Run.Machine
	t.Logf("%d boots and %d connections in %v: the heap had %.1f MB after %v and %.1f MB at the end; %.2f CPUs, %d goroutines, %d open files at the most",
		r.Accounted, r.Run.Cloud["connections"], f.length, mb(first.value()), f.early, mb(last.value()), m.CPU, m.Goroutines, m.Files)
	if last.value() > first.value()+max(first.value()/10, 1<<19) {
		t.Errorf("the heap grew from %.1f MB to %.1f MB", mb(first.value()), mb(last.value()))
	}
}

// average is that of what is added.
type average struct{ sum, n uint64 }

func (a *average) add(v uint64) { a.sum, a.n = a.sum+v, a.n+1 }

func (a *average) value() uint64 { return a.sum / a.n }
