package report_test

import (
	"strings"
	"testing"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
)

// Fleets that had to try again are set side by side, and no others.
func TestTerminalSetsRetriesSideBySide(t *testing.T) {
	fleet := func(name string, retries, most int64) metrics.FleetReport {
		return metrics.FleetReport{
			Name: name, Due: 500, Outcomes: map[device.Outcome]int{device.OutcomeAssigned: 500}, Retries: retries, MostRetries: most,
			Times: []metrics.Times{{Metric: "time_to_assigned", P50: ms(6600), P99: ms(27800), Max: ms(29700)}},
		}
	}
	show := func(fleets ...metrics.FleetReport) string {
		var out strings.Builder
		if err := report.Terminal(&out, metrics.Report{Fleets: fleets}, report.Options{}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	want := `tried again  times  a boot  at most  assigned p50    p99    max
naive        1,306     2.6       22          6.6s  27.8s  29.7s
azure          360     0.7        5          6.6s  27.8s  29.7s
`
	if got := show(fleet("naive", 1306, 22), fleet("lucky", 0, 0), fleet("azure", 360, 5)); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, got := range []string{show(fleet("alone", 3, 1)), show(fleet("a", 0, 0), fleet("b", 0, 0))} {
		if strings.Contains(got, "tried again") {
			t.Errorf("nothing to compare, and yet\n%s", got)
		}
	}
}
