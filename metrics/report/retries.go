package report

import (
	"strconv"

	"dpsfleet/metrics"
)

// retries sets the fleets side by side that had to try again: what that cost the
// service, and what it was good for.
func (p *page) retries(r metrics.Report) {
	rows := [][]string{{"tried again", "times", "a boot", "at most", "assigned p50", "p99", "max", ""}}
	for _, f := range r.Fleets {
		if f.Retries == 0 || len(r.Fleets) == 1 {
			continue
		}
		each := float64(f.Retries) / float64(max(1, f.Due))
		row := []string{clean(f.Name), thousands(int(f.Retries)), strconv.FormatFloat(each, 'f', 1, 64), thousands(int(f.MostRetries))}
		rows = append(rows, append(row, toAssigned(f)...))
	}
	if len(rows) > 1 {
		p.table(rows)
	}
}

// toAssigned are the columns of a fleet's time to assigned.
func toAssigned(f metrics.FleetReport) []string {
	for _, t := range f.Times {
		if t.Metric == "time_to_assigned" {
			return []string{t.P50.String(), t.P99.String(), t.Max.String(), ""}
		}
	}
	return []string{"-", "-", "-", ""}
}
