package scenarios_test

import (
	"testing"

	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

// BenchmarkBootStorm is a whole run in memory, devices, cloud, webhook and
// recorder in one process: what one boot costs of all of it. It is the storm with
// 20,000 devices and without the quota, which would be most of the time.
func BenchmarkBootStorm(b *testing.B) {
	s, err := scenarios.ReadShipped("boot-storm")
	if err != nil {
		b.Fatal(err)
	}
	s = s.Scaled(20000.0 / 1500)
	s.Cloud.Quotas = emulator.NoQuotas
	n := 0
	for _, f := range s.Fleets {
		n += f.Count
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := scenarios.Run(b.Context(), s, scenarios.Env{Network: scenarios.NetworkMemory, Version: "bench"})
		if err != nil || r.Due != n || !r.Passed() {
			b.Fatalf("%d due, %v", r.Due, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/boot")
}
