package metrics_test

import (
	"slices"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

func TestWatch(t *testing.T) {
	w := metrics.Watch{Every: time.Second, CPUs: 2}
	for _, v := range []metrics.Vitals{
		{At: start, CPU: 3 * time.Second, GC: time.Second, Heap: 5, Goroutines: 9, Files: 7},
		{At: start.Add(time.Second), CPU: 4900 * time.Millisecond, GC: time.Second, Heap: 20, Goroutines: 3, Files: 9},
		{At: start.Add(1001 * time.Millisecond), CPU: 4990 * time.Millisecond, GC: time.Second}, // too soon to tell
		{At: start.Add(3 * time.Second), CPU: 5 * time.Second, GC: 2 * time.Second},             // late, as on a busy machine
		{At: start.Add(20 * time.Second), CPU: 5 * time.Second, GC: 2 * time.Second},            // slept
		{At: start.Add(40 * time.Second), CPU: 7 * time.Second, GC: 3 * time.Second},            // had little CPU
	} {
		w.Take(v)
	}
	got := w.Machine()
	if got.CPUs != 2 || got.CPU != 0.1 || got.BusiestCPU != 1.9 || got.GC != 0.5 || got.Heap != 20 || got.Goroutines != 9 || got.Files != 9 {
		t.Errorf("%+v", got)
	}
	if len(got.Stalls) != 1 || got.Stalls[0] != (metrics.Stall{At: metrics.Millis(3 * time.Second), Took: metrics.Millis(17 * time.Second)}) {
		t.Errorf("%+v", got.Stalls)
	}
}

// What the system tells is the program's own.
func TestReadVitals(t *testing.T) {
	v := metrics.ReadVitals()
	if v.Heap < 1<<10 || v.Goroutines < 1 || v.At.IsZero() {
		t.Errorf("%+v", v)
	}
}

// A limit says since when: the second boot was dropped and the third late, a stall
// is as it was seen, and the recorder was within bounds at first.
func TestLimitsSaySinceWhen(t *testing.T) {
	c := collector(t, metrics.RunInfo{Started: start})
	play(c, born("f", "a", start).to(device.Dialing, time.Millisecond).online(toastersHub, `{}`))
	play(c, born("f", "dropped", start.Add(2*time.Second)).to(device.Dropped, 0))
	play(c, born("f", "late", start.Add(3*time.Second)).to(device.Dialing, 2*time.Second).online(toastersHub, `{}`))
	for second, blocked := range []time.Duration{0, 10 * time.Millisecond, 500 * time.Millisecond, 900 * time.Millisecond} {
		c.Blocked(blocked)
		c.Progress(start.Add(time.Duration(second+1) * 10 * time.Second))
	}
	r := c.Report(start.Add(time.Minute), metrics.End{
		Blocked: metrics.Millis(900 * time.Millisecond),
		Machine: metrics.Machine{Stalls: []metrics.Stall{{At: metrics.Millis(90 * time.Second), Took: metrics.Millis(12 * time.Second)}}},
	})
	want := []string{
		"1 dropped: a fleet was at its limit of boots in flight, from 2.0s on",
		"devices started late: lateness p99 is 2.0s, over 1.0s, from 3.0s on",
		"the recorder blocked devices for 900ms, over 1 % of the run, from 30.0s on",
		"nothing ran for 12.0s, from 1m 30s on: this machine slept or stood still, or its clock was set",
	}
	if !slices.Equal(r.Run.Health.Limits, want) || r.ExitCode() != metrics.ExitLimited {
		t.Errorf("exit code %d, %q", r.ExitCode(), r.Run.Health.Limits)
	}
}
