package scenarios

import (
	"fmt"

	"dpsfleet/metrics"
)

// counts are how many devices of each fleet this process boots.
func (r *run) counts() []int {
	counts := make([]int, len(r.Fleets))
	if r.env.Shards < 2 || r.env.Closed {
		for i, f := range r.Fleets {
			counts[i] = f.Count
		}
		return counts
	}
	for a := range r.plan.Arrivals() {
		counts[a.Fleet]++
	}
	return counts
}

// shardNote tells the reader of one shard's report that there are more.
func (r *run) shardNote() []string {
	if r.env.Shards < 2 {
		return nil
	}
	return []string{fmt.Sprintf("this is part %d of %d of a run; %s", r.env.Shard+1, r.env.Shards, metrics.ShardNote)}
}
