package fleet_test

import (
	"context"
	"testing"
	"time"

	"dpsfleet/fleet"
)

// BenchmarkArrivals20000 asks for 20,000 starts a second of a boot that does
// nothing, for b.N starts, and reports what it got; run it with
// -benchtime 60000x for three seconds.
func BenchmarkArrivals20000(b *testing.B) {
	plan := one(b, b.N, "constant 20000/s")
	b.ReportAllocs()
	begin := time.Now()
	health := fleet.Run(b.Context(), plan,
		func(context.Context, fleet.Arrival, time.Time) {},
		func(a fleet.Arrival, _ time.Time) { b.Errorf("%+v was dropped", a) })
	b.ReportMetric(float64(health.Started)/time.Since(begin).Seconds(), "starts/s")
	b.ReportMetric(float64(health.Lateness.P99.Microseconds())/1000, "p99-ms-late")
	b.ReportMetric(float64(health.Lateness.Max.Microseconds())/1000, "max-ms-late")
}

// BenchmarkBurst is the cost of a start without any waiting.
func BenchmarkBurst(b *testing.B) {
	plan := one(b, b.N, "burst")
	b.ReportAllocs()
	fleet.Run(b.Context(), plan, func(context.Context, fleet.Arrival, time.Time) {}, nil)
}

// BenchmarkOffsets is the cost of deciding when a device starts.
func BenchmarkOffsets(b *testing.B) {
	plan := one(b, b.N, "ramp 1/s to 30000/s over 10s", "poisson 30000/s")
	b.ReportAllocs()
	for range plan.Arrivals() {
	}
}
