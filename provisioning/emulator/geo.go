package emulator

import (
	"encoding/json"
	"math"
	"time"

	"dpsfleet/provisioning/allocation"
)

// nearest are the hubs with the lowest latency to a device, in their order. DPS
// spreads devices over those that are equally near ("How to manage allocation
// policies", lowest latency).
func (c *Cloud) nearest(hubs []string, t *task) []string {
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
func (c *Cloud) latency(hub, region string, t *task) time.Duration {
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

// heaviest spreads devices over the hubs by their weights.
func (c *Cloud) heaviest(hubs []string, device string) string {
	return allocation.Heaviest(hubs, device, func(hub string) float64 {
		return float64(max(1, c.cfg.hub(hub).AllocationWeight))
	})
}
