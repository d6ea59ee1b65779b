package scenarios

import (
	"fmt"
	"runtime"
	"time"

	"dpsfleet/fleet"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// info is what is known of the run before it starts.
func (r *run) info() metrics.RunInfo {
	info := metrics.RunInfo{
		Scenario:   r.Name,
		Text:       r.shown(),
		Seed:       r.Seed,
		Shard:      r.env.Shard,
		Shards:     r.env.Shards,
		Ours:       r.cloud != nil,
		Direct:     r.calls != nil,
		Target:     r.describeTarget(),
		Unverified: r.target.TLS != nil && r.target.TLS.InsecureSkipVerify,
		Versions:   map[string]string{"dpsfleet": r.env.Version, "go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH},
		Thresholds: r.Thresholds,
		Hubs:       r.Hubs(),
		Started:    time.Now(),
	}
	counts := r.counts()
	for i, f := range r.Fleets {
		f.Count = counts[i]
		info.Fleets = append(info.Fleets, metrics.Fleet{Name: f.Name, Count: r.planned(f), Expect: f.Expect})
	}
	return info
}

// planned is how many boots of a fleet there will be.
func (r *run) planned(f Fleet) int {
	if r.calls != nil {
		return f.Count
	}
	return f.Count * f.boots()
}

func (r *run) describeTarget() string {
	if r.cloud != nil {
		return fmt.Sprintf("the embedded cloud over %s, id scope %s", r.env.Network, r.target.IDScope)
	}
	if r.calls != nil {
		return "the webhook " + provisioning.MaskURL(r.Scenario.Target.Webhook) + ", called directly"
	}
	return fmt.Sprintf("%s over %s, id scope %s", r.target.Endpoint, r.env.Network, r.target.IDScope)
}

func (r *run) end(health fleet.Health) metrics.End {
	end := metrics.End{
		Due:          health.Due,
		Blocked:      metrics.Millis(r.rec.blocked.sum()),
		PeakInFlight: health.Peak,
		Faults:       r.faults.untouched(),
		Notes:        r.shardNote(),
	}
	if r.env.Closed {
		end.Notes = append(end.Notes, "closed model: a call is due when one before it has ended, so the webhook's slowness slows the calls, and latencies leave out what waited meanwhile")
	}
	if end.Due > 0 { // with devices left behind, nobody knows
		end.Due += int(r.again.due.Load())
	}
	if r.cloud != nil {
		end.Cloud = r.cloud.Totals().ByName()
	}
	return end
}
