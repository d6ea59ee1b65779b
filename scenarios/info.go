package scenarios

import (
	"fmt"
	"runtime"
	"time"

	"dpsfleet/fleet"
	"dpsfleet/metrics"
)

// info is what is known of the run before it starts.
func (r *run) info() metrics.RunInfo {
	info := metrics.RunInfo{
		Scenario:   r.Name,
		Text:       r.shown(),
		Seed:       r.Seed,
		Ours:       r.cloud != nil,
		Target:     r.describeTarget(),
		Unverified: r.target.TLS != nil && r.target.TLS.InsecureSkipVerify,
		Versions:   map[string]string{"dpsfleet": r.env.Version, "go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH},
		Thresholds: r.Thresholds,
		Started:    time.Now(),
	}
	for _, f := range r.Fleets {
		info.Fleets = append(info.Fleets, metrics.Fleet{Name: f.Name, Count: f.Count, Expect: f.Expect})
	}
	return info
}

func (r *run) describeTarget() string {
	if r.cloud != nil {
		return fmt.Sprintf("the embedded cloud over %s, id scope %s", r.env.Network, r.target.IDScope)
	}
	return fmt.Sprintf("%s over %s, id scope %s", r.target.Endpoint, r.env.Network, r.target.IDScope)
}

func (r *run) end(health fleet.Health) metrics.End {
	end := metrics.End{
		Due:          health.Due,
		Blocked:      metrics.Millis(r.rec.blocked.sum()),
		PeakInFlight: health.Peak,
		Faults:       r.faults.untouched(),
	}
	if r.cloud != nil {
		end.Cloud = totals(r.cloud.Totals())
	}
	return end
}
