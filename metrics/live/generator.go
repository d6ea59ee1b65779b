package live

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"dpsfleet/metrics"
)

// generator is how the program itself is doing. The first figure is the lateness,
// which Times fills in.
func (f *fold) generator() []figure {
	v, blocked := metrics.ReadVitals(), f.at.Blocked
	figures := []figure{
		{Name: "Lateness p99", Value: "–"},
		{Name: "Recorder blocked", Value: metrics.Millis(blocked).String(), State: badIf(blocked > max(f.at.Elapsed/100, time.Millisecond))},
		{Name: "CPUs used", Value: cpus(f.vitals, v)},
		{Name: "Heap", Value: bytes(v.Heap)},
		{Name: "Goroutines", Value: strconv.Itoa(v.Goroutines)},
	}
	if v.Files >= 0 {
		figures = append(figures, figure{Name: "Open files", Value: strconv.Itoa(v.Files)})
	}
	f.vitals = v
	return figures
}

// cpus is how many were used between two looks, of those that there are.
func cpus(from, to metrics.Vitals) string {
	since := to.At.Sub(from.At)
	if from.At.IsZero() || since <= 0 || to.CPU == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f of %d", float64(to.CPU-from.CPU)/float64(since), runtime.GOMAXPROCS(0))
}

func badIf(bad bool) string {
	if bad {
		return "bad"
	}
	return ""
}

func bytes(n int64) string {
	const mib = 1 << 20
	if n < 1000*mib {
		return fmt.Sprintf("%.0f MiB", float64(n)/mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1024*mib))
}
