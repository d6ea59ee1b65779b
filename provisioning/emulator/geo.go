package emulator

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"
)

// nearest are the hubs with the lowest latency to a device, in their order. DPS
// spreads devices over those that are equally near ("How to manage allocation
// policies", lowest latency).
func (c *Cloud) nearest(hubs []string, t task) []string {
	region := c.region(t.payload)
	best := time.Duration(math.MaxInt64)
	var near []string
	for _, name := range hubs {
		latency := c.latency(name, region, t)
		if latency < best {
			best, near = latency, nil
		}
		if latency == best {
			near = append(near, name)
		}
	}
	return near
}

// latency is from a device's region to a hub; the longest there is where none is
// declared. One that is declared as a range is drawn once for each device.
func (c *Cloud) latency(hub, region string, t task) time.Duration {
	span, declared := c.cfg.hub(hub).Latency[region]
	if !declared {
		return math.MaxInt64
	}
	return c.draw(span, t.key(), "latency "+hub)
}

// region is where a device says it is. DPS finds out by its own network, which
// there is none of here.
func (c *Cloud) region(payload json.RawMessage) string {
	var members map[string]json.RawMessage
	var region string
	if json.Unmarshal(payload, &members) == nil {
		json.Unmarshal(members[c.cfg.Undocumented.RegionMember], &region)
	}
	return region
}

// heaviest is weighted rendezvous hashing: of the hubs' scores the highest wins,
// so that hubs get devices in proportion to their weights, and a new hub takes
// its share while no other device moves.
func (c *Cloud) heaviest(hubs []string, device string) string {
	return slices.MaxFunc(hubs, func(a, b string) int {
		return cmp.Compare(c.weighted(a, device), c.weighted(b, device))
	})
}

// weighted is -w/ln(u) for a u of the hub and the device between 0 and 1, whose
// maximum falls on each hub with the probability of its weight.
func (c *Cloud) weighted(hub, device string) float64 {
	u := (float64(score(hub, device)>>11) + 0.5) / (1 << 53)
	return -float64(max(1, c.cfg.hub(hub).AllocationWeight)) / math.Log(u)
}
