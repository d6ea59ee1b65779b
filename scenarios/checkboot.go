package scenarios

import (
	"slices"
	"strings"

	"dpsfleet/device"
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
