package scenarios_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"dpsfleet/scenarios"
)

// A distribution has the quantiles that it is written with, and a span its ends.
func TestLatencyIsDistributedAsWritten(t *testing.T) {
	tests := []struct {
		do       string
		p50, p99 time.Duration
	}{
		{"latency p50 200ms p99 3s", 200 * time.Millisecond, 3 * time.Second},
		{"latency p50 200ms p90 400ms", 200 * time.Millisecond, 704 * time.Millisecond},
		{"latency 1s..5s", 3 * time.Second, 4960 * time.Millisecond},
		{"latency 2s", 2 * time.Second, 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.do, func(t *testing.T) {
			do, err := scenarios.ParseFaultAction(test.do)
			if err != nil {
				t.Fatal(err)
			}
			var waits []time.Duration
			for i := range 20000 {
				waits = append(waits, scenarios.LatencyOf(do, 7, fmt.Sprint("device", i)))
			}
			slices.Sort(waits)
			near := func(got, want time.Duration) bool { return (got - want).Abs() <= want/10 }
			if p50, p99 := waits[10000], waits[19800]; !near(p50, test.p50) || !near(p99, test.p99) {
				t.Errorf("p50 %s, p99 %s; want %s, %s", p50, p99, test.p50, test.p99)
			}
			if again := scenarios.LatencyOf(do, 7, "DEVICE1"); again != scenarios.LatencyOf(do, 7, "device1") {
				t.Error("a device has another latency the second time")
			}
		})
	}
}
