package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
)

// reboots checks what a fleet does beside its first boot, and what it knows.
func (c *checker) reboots(at string, f Fleet) {
	if most := 10_000_000; f.Count > 0 && f.boots() > most/f.Count {
		c.add(at+"/reboots", "%d devices boot %d times each, which is more than %d boots", f.Count, f.boots(), most)
	}
	if (f.Cached != nil || len(f.Reboots) > 0 || f.Backoff != "") && c.s.direct() {
		c.add(at, "cached, reboots and backoff are about devices, and a webhook alone has none")
	}
	if c.changes(f) {
		c.add(at+"/reboots", "the model's registrationId has {{.Boot}} in it, so that it is another device that boots again")
	}
	if f.Cached != nil {
		c.cached(at, f)
	}
	for i, r := range f.Reboots {
		if r.PowerCut > 0 {
			c.powerCut(fmt.Sprintf("%s/reboots/%d/powerCut", at, i), f, i)
		}
	}
}

// powerCut checks the one before a reboot. It hits a whole fleet, at one time.
func (c *checker) powerCut(at string, f Fleet, i int) {
	r := f.Reboots[i]
	if f.Until != device.UntilOnline {
		c.add(at, "is for devices that stay; say until: online")
	}
	if r.Times > 1 {
		c.add(at, "comes once; the next one is a block of its own")
	}
	for _, earlier := range f.Reboots[:i] {
		if earlier.PowerCut >= r.PowerCut {
			c.add(at, "comes no later than the one before, at %s", durationOf(earlier.PowerCut))
		}
	}
	if f.Count < 1 || c.s.direct() {
		return
	}
	alone := fleet.Plan{Fleets: []fleet.Fleet{f.plan()}, Seed: c.s.Seed}
	if last := alone.Describe().Last; last >= durationOf(r.PowerCut) {
		c.add(at, "comes when the fleet is still arriving: its last device is due at %s", last.Round(time.Millisecond))
	}
}

// changes reports whether a device would come again under another id.
func (c *checker) changes(f Fleet) bool {
	kind := c.kinds[f.Model]
	if kind == nil || len(f.Reboots) == 0 {
		return false
	}
	n := device.Number{Fleet: f.Name, N: f.first(), Boot: 1, Seed: c.s.Seed}
	first, err := kind.ID(n)
	n.Boot = 2
	second, err2 := kind.ID(n)
	return err == nil && err2 == nil && first != second
}

func (c *checker) cached(at string, f Fleet) {
	hubs := c.s.Hubs()
	known := slices.ContainsFunc(hubs, func(hub string) bool { return strings.EqualFold(hub, f.Cached.Hub) })
	if f.Cached.Hub != "" && !known {
		c.add(at+"/cached/hub", "%s", c.unknown("hub", f.Cached.Hub, hubs))
	}
	if f.Until == device.UntilAssigned {
		c.add(at+"/until", "a device that knows its hub does not ask DPS; say twin or online")
	}
}
