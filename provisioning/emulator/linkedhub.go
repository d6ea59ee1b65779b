package emulator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// LinkedHub is what a linked hub is beside its name. The zero value is a hub of
// one S1 unit whose key DPS has.
type LinkedHub struct {
	// AllocationWeight is the hub's share of the devices under the hashed policy
	// beside the others'; 1 if 0.
	AllocationWeight int `json:"allocationWeight,omitempty" jsonschema:"minimum=1,maximum=1000"`
	// Latency is from the regions that devices are in, for the policy geoLatency.
	// A region that is not here is farther than all that are.
	Latency map[string]Span `json:"latency,omitempty"`
	// Unauthorized says that DPS's key for the hub is stale, so that no device
	// can be made there.
	Unauthorized bool `json:"unauthorized,omitempty"`
	// SKU and Units decide how much the hub takes, if there are Quotas; S1 and 1
	// if left out.
	SKU   SKU `json:"sku,omitempty" jsonschema:"enum=S1,enum=S2,enum=S3"`
	Units int `json:"units,omitempty" jsonschema:"minimum=1,maximum=200"`
}

// SKU is the size of a hub's units.
type SKU string

// The sizes; an empty one is S1.
const (
	S1 SKU = "S1"
	S2 SKU = "S2"
	S3 SKU = "S3"
)

// hub is what the configuration says of a linked hub.
func (cfg Config) hub(name string) LinkedHub {
	for declared, h := range cfg.Hubs {
		if strings.EqualFold(declared, name) {
			return h
		}
	}
	return LinkedHub{}
}

func (h LinkedHub) units() int { return max(1, h.Units) }

// connectionLimit is of new connections ("IoT Hub quotas and throttling",
// operation throttles).
func (h LinkedHub) connectionLimit() limit {
	n := max(100, 12*h.units())
	switch h.SKU {
	case S2:
		n = 120 * h.units()
	case S3:
		n = 6000 * h.units()
	}
	return limit{n: n, per: time.Second}
}

// registryLimit is of operations on the identity registry, which DPS makes to
// put a device there (same table).
func (h LinkedHub) registryLimit() limit {
	if h.SKU == S3 {
		return limit{n: 5000 * h.units(), per: time.Minute}
	}
	return limit{n: 100 * h.units(), per: time.Minute}
}

// hubMistakes says what is wrong with Hubs.
func (cfg Config) hubMistakes() []error {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Hubs)) {
		h := cfg.Hubs[name]
		if !slices.ContainsFunc(cfg.LinkedHubs, func(l string) bool { return strings.EqualFold(l, name) }) {
			wrong = append(wrong, fmt.Errorf("the hub %q is described and not linked", name))
		}
		if h.AllocationWeight < 0 || h.Units < 0 {
			wrong = append(wrong, fmt.Errorf("the hub %q has a weight or units below zero", name))
		}
		if !slices.Contains([]SKU{"", S1, S2, S3}, h.SKU) {
			wrong = append(wrong, fmt.Errorf("the hub %q is of the size %q, neither S1 nor S2 nor S3", name, h.SKU))
		}
	}
	if cfg.Quotas < 0 {
		wrong = append(wrong, errors.New("the quotas are below zero"))
	}
	if m := cfg.Undocumented.QuotaMeter; !slices.Contains([]string{"", meterWindow, meterBucket}, m) {
		wrong = append(wrong, fmt.Errorf("quotaMeter is %q, neither %s nor %s", m, meterWindow, meterBucket))
	}
	return wrong
}

// unmeasured says that an enrollment asks for the nearest hub where no latency
// is declared.
func (cfg Config) unmeasured(e provisioning.Enrollment) error {
	hubs := cfg.LinkedHubs
	if len(e.IoTHubs) > 0 {
		hubs = e.IoTHubs
	}
	measured := func(name string) bool { return len(cfg.hub(name).Latency) > 0 }
	if e.Allocation != provisioning.AllocateGeoLatency || slices.ContainsFunc(hubs, measured) {
		return nil
	}
	return errors.New("its allocation policy is geoLatency, and none of its hubs has a latency")
}
