package allocation

import (
	"encoding/json"
	"slices"
	"strings"

	"dpsfleet/provisioning"
)

// caller is the device that a policy is asked about.
type caller struct {
	id      string
	payload json.RawMessage
	hub     string // where it is; empty on the first assignment
}

func (w When) all() bool {
	return w.RegistrationID == nil && len(w.Payload) == 0 && len(w.Any) == 0 && w.Not == nil
}

func (w When) holds(d caller) bool {
	if w.RegistrationID != nil && !w.RegistrationID.text(d.id) {
		return false
	}
	for path, match := range w.Payload {
		value, ok := member(d.payload, path)
		if !ok || !match.value(value) {
			return false
		}
	}
	if w.Not != nil && w.Not.holds(d) {
		return false
	}
	return len(w.Any) == 0 || slices.ContainsFunc(w.Any, func(one When) bool { return one.holds(d) })
}

// matches is When, and that the device is somewhere that the rule knows.
func (r Rule) matches(d caller) bool {
	if !r.When.holds(d) {
		return false
	}
	if r.Hub.Region == nil {
		return true
	}
	_, known := r.Hub.Region.of(d)
	return known
}

// of is the glob of the hubs of a device's region.
func (r Region) of(d caller) (hubs string, known bool) {
	value, ok := member(d.payload, r.Payload)
	var name *string
	if !ok || json.Unmarshal(value, &name) != nil || name == nil {
		return "", false
	}
	return r.Hubs.find(*name)
}

// choose is the device's hub among those that are linked.
func (r Rule) choose(d caller, linked []string) (hub string, found bool) {
	hubs := r.Hub.among(d, linked)
	if r.Sticky && d.hub != "" {
		for _, hub := range hubs {
			if strings.EqualFold(hub, d.hub) {
				return hub, true
			}
		}
	}
	return r.Hub.pick(d, hubs)
}

// among are the rule's hubs for the device.
func (c HubChoice) among(d caller, linked []string) []string {
	return slices.DeleteFunc(slices.Clone(linked), func(hub string) bool {
		switch {
		case c.Spread != nil:
			_, found := c.Spread.find(hub)
			return !found
		case c.Region != nil:
			hubs, known := c.Region.of(d)
			return !known || !glob(hubs, hub)
		}
		return !c.text(hub)
	})
}

// pick is one of them. Without a word on it, it is the tutorial's loop over the
// hubs, which keeps the last.
func (c HubChoice) pick(d caller, hubs []string) (hub string, found bool) {
	if c.Spread != nil {
		hubs = slices.DeleteFunc(hubs, func(hub string) bool { return c.weight(hub) <= 0 })
	}
	switch {
	case len(hubs) == 0:
		return "", false
	case c.Spread != nil || c.Region != nil || c.Pick == PickHashed:
		// Ids that differ in case only are one device's.
		return Heaviest(hubs, provisioning.SameID(d.id), c.weight), true
	case c.Pick == PickFirst:
		return hubs[0], true
	}
	return hubs[len(hubs)-1], true
}

func (c HubChoice) weight(hub string) float64 {
	if c.Spread == nil {
		return 1
	}
	weight, _ := c.Spread.find(hub)
	return weight
}
