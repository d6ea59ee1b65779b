package scenarios

import (
	"math"
	"slices"
	"time"

	"dpsfleet/fleet"
)

// Limit is a rate that a real service takes at most.
type Limit struct {
	Name    string
	PerUnit float64 // a minute
	OfHub   bool    // each linked hub has it
	OfBoots bool    // every boot counts, not only those that ask DPS
}

// RealLimits are Azure's, for one unit of each kind of hub (DPS limits; IoT Hub
// quotas and throttling). More units take more.
func RealLimits() []Limit {
	return []Limit{
		{"DPS registrations, 1,000 a minute", 1000, false, false},
		{"hub registry operations, S1 or S2, 100 a minute and unit", 100, true, false},
		{"hub registry operations, S3, 5,000 a minute and unit", 5000, true, false},
		{"hub connections, S1, 100 a second", 6000, true, true},
		{"hub connections, S2, 120 a second and unit", 7200, true, true},
		{"hub connections, S3, 6,000 a second and unit", 360000, true, true},
	}
}

// Outlook is what a run will take.
type Outlook struct {
	Plan   fleet.Summary
	Boots  int // of all devices
	Fleets []FleetOutlook
	Limits []LimitOutlook // the tightest first
}

// FleetOutlook is one fleet of it.
type FleetOutlook struct {
	Name  string
	Plan  fleet.Summary
	Boots int // of each device
}

// LimitOutlook is how long the devices take at a limit.
type LimitOutlook struct {
	Limit
	Takes time.Duration
}

// Outlook says what a run will take, of time and of a real service.
func (s Scenario) Outlook() Outlook {
	o := Outlook{Plan: s.Plan().Describe(), Boots: s.boots()}
	for _, f := range s.Fleets {
		alone := fleet.Plan{Fleets: []fleet.Fleet{f.plan()}, Seed: s.Seed}
		o.Fleets = append(o.Fleets, FleetOutlook{f.Name, alone.Describe(), f.boots()})
	}
	hubs := max(1, len(s.Hubs()))
	for _, limit := range RealLimits() {
		each := s.registrations()
		if limit.OfBoots {
			each = float64(s.boots())
		}
		if limit.OfHub {
			each /= float64(hubs) // evenly, at best
		}
		takes := time.Duration(math.Ceil(each/limit.PerUnit*60)) * time.Second
		o.Limits = append(o.Limits, LimitOutlook{limit, takes})
	}
	slices.SortStableFunc(o.Limits, func(a, b LimitOutlook) int { return int(b.Takes - a.Takes) })
	return o
}
