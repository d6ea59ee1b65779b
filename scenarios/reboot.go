package scenarios

import (
	"bytes"
	"encoding/json"
	"iter"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning/emulator"
)

// Cached is what the devices of a fleet know from an earlier life.
type Cached struct {
	// Hub is where DPS assigned them then. They ask it first, and DPS only if it
	// does not want them.
	Hub string `json:"hub"`
	// Forgotten is the part of the devices, as 20%, that neither that hub nor DPS
	// knows any more; left out, none. A target's cloud knows whom it knows.
	Forgotten Portion `json:"forgotten,omitempty"`
}

// Reboot is that the devices of a fleet boot again, however their boot ended. One
// that was dropped never ran, and does not.
type Reboot struct {
	// Times is how often; 1.
	Times int `json:"times,omitempty" jsonschema:"minimum=1,maximum=1000"`
	// After is the pause between the end of a boot, with the time that the device
	// stays online, and the next one, a duration or a range to draw from. After a
	// power cut it is how long there is none.
	After emulator.Span `json:"after"`
	// PowerCut is when, from the start of the run, the power of the fleet goes: all
	// connections end without a word. Once it is back the devices arrive as they
	// did at first, with the hub that they know.
	PowerCut Duration `json:"powerCut,omitempty"`
	// FactoryReset is the part of the devices, as 10%, that have forgotten their
	// hub by then and ask DPS; left out, none.
	FactoryReset Portion `json:"factoryReset,omitempty"`
}

// Reboots are a fleet's, in order.
type Reboots []Reboot

// UnmarshalJSON takes a block or a list of blocks.
func (r *Reboots) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]Reboot)(r))
	}
	var one Reboot
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*r = Reboots{one}
	return nil
}

func (r Reboot) times() int { return max(1, r.Times) }

// each gives the number of every boot after the first, and what comes before it.
func (rs Reboots) each() iter.Seq2[int, Reboot] {
	return func(yield func(int, Reboot) bool) {
		boot := 1
		for _, r := range rs {
			for range r.times() {
				if boot++; !yield(boot, r) {
					return
				}
			}
		}
	}
}

// cut is when the power goes in a boot, zero if it does not.
func (rs Reboots) cut(boot int, start time.Time) time.Time {
	before := 1
	for _, r := range rs {
		if before == boot && r.PowerCut > 0 {
			return start.Add(durationOf(r.PowerCut))
		}
		before += r.times()
	}
	return time.Time{}
}

// boots is how often each device of the fleet boots.
func (f Fleet) boots() int {
	n := 1
	for _, r := range f.Reboots {
		n += r.times()
	}
	return n
}

// boots is how many boots there are, if no device is dropped.
func (s Scenario) boots() int {
	n := 0
	for _, f := range s.Fleets {
		n += f.Count * f.boots()
	}
	return n
}

// registrations is how many of the boots ask DPS, if nobody's hub refuses him that
// knows him.
func (s Scenario) registrations() float64 {
	n := 0.0
	for _, f := range s.Fleets {
		each := 1.0
		if f.Cached != nil {
			each = float64(f.Cached.Forgotten)
		}
		for _, r := range f.Reboots.each() {
			part := float64(r.FactoryReset)
			if f.Until == device.UntilAssigned {
				part = 1
			}
			each += part
		}
		n += each * float64(f.Count)
	}
	return n
}

// Backoff is how the devices of a fleet pace what they try again.
type Backoff string

// The ways. An empty one is that of the scenario's limits, or own.
const (
	BackoffOwn          Backoff = "own"
	BackoffAzureDefault Backoff = "azure-default"
	BackoffAzureStorm   Backoff = "azure-storm"
	BackoffNaive        Backoff = "naive"
)

// realRate is how many registrations a second a real DPS lets in (DPS limits).
const realRate = 1000.0 / 60

// backoff is a fleet's as devices have it. The storm that azure-storm is made for
// is that of all fleets together, at the rate of the cloud's quotas, or of a real
// DPS where none are declared.
func (s Scenario) backoff(f Fleet) device.Backoff {
	name := f.Backoff
	if name == "" {
		name = s.Limits.Backoff
	}
	switch name {
	case BackoffAzureDefault:
		return device.AzureBackoff()
	case BackoffAzureStorm:
		rate, load := realRate, s.Limits.Load
		if s.Cloud != nil && s.Cloud.Quotas != emulator.NoQuotas {
			rate *= float64(s.Cloud.Quotas)
		}
		if load == 0 {
			load = 1
		}
		return device.StormBackoff(s.devices(), rate, load)
	case BackoffNaive:
		return device.NaiveBackoff()
	}
	return device.OwnBackoff()
}

// pauseBefore is how long a device is off before a boot.
func (r Reboot) pauseBefore(boot int, seed uint64, id string) time.Duration {
	chance := drawFor(seed, id, occasion("pause", boot))
	return r.After.Min + time.Duration(chance.Float64()*float64(r.After.Max-r.After.Min))
}

// resets reports whether a device has forgotten its hub before a boot.
func (r Reboot) resets(boot int, seed uint64, id string) bool {
	return r.FactoryReset.has(seed, id, occasion("reset", boot))
}
