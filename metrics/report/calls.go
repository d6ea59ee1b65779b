package report

import (
	"fmt"

	"dpsfleet/metrics"
)

// calls are the latencies of a webhook that was called directly: from when a call
// was due, and beside it the figure that leaves out what a call waited to be sent,
// as a client measures that waits for one answer before it asks again.
func (p *page) calls(r metrics.Report, named map[string]metrics.Times) {
	for _, row := range []struct{ name, metric, about string }{
		{"latency from due", "time_to_assigned", "of those assigned"},
		{"uncorrected", "assigning", "from sent to answered, of all"},
	} {
		if t, ok := named[row.metric]; ok {
			p.printf("%-16s  p50 %v p90 %v p95 %v p99 %v max %v  (%s)\n", row.name, t.P50, t.P90, t.P95, t.P99, t.Max, row.about)
		}
	}
	if rate := callRate(r); rate != "" {
		p.printf("%-16s  %s\n", "calls", rate)
	}
}

// callRate is how many calls ended a second, over the whole run.
func callRate(r metrics.Report) string {
	seconds := r.Took.Duration().Seconds()
	if seconds <= 0 {
		return ""
	}
	return fmt.Sprintf("%s in %v, %.1f/s, at most %s at once",
		thousands(r.Accounted-r.Dropped), r.Took, float64(r.Accounted-r.Dropped)/seconds, thousands(r.Run.Health.PeakInFlight))
}
