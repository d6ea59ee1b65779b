package metrics

import (
	"time"

	"dpsfleet/device"
)

// Progress is a run at one moment.
type Progress struct {
	Elapsed time.Duration
	Planned int // devices in all, as far as is known
	Due     int // boots begun or dropped
	Ended   int
	// Unexpected are those of Ended that met no expectation.
	Unexpected int
	Rate       float64 // boots ended a second since the last Progress
	Fleets     []FleetProgress
	// Stages counts the devices in each stage, by device.Stage; those that left
	// are in none.
	Stages [int(device.Dropped) + 1]int
}

// FleetProgress is one fleet at one moment.
type FleetProgress struct {
	Name                                      string
	Planned, Due, Ended, Assigned, Unexpected int
}

// Progress is where the run stands. It also writes out what the log holds back.
func (c *Collector) Progress(now time.Time) Progress {
	p := Progress{Elapsed: now.Sub(c.info.Started), Stages: c.boots.stages}
	for i, f := range c.fleets {
		fleet := FleetProgress{
			Name:       f.name,
			Due:        f.due,
			Ended:      f.ended,
			Assigned:   f.outcomes[device.OutcomeAssigned],
			Unexpected: f.unexpected,
		}
		if i < len(c.info.Fleets) {
			fleet.Planned = c.info.Fleets[i].Count
		}
		p.Fleets = append(p.Fleets, fleet)
		p.Planned += fleet.Planned
		p.Due += fleet.Due
		p.Ended += fleet.Ended
		p.Unexpected += fleet.Unexpected
	}
	if since := now.Sub(c.lastProgress).Seconds(); since > 0 {
		p.Rate = float64(p.Ended-c.lastEnded) / since
	}
	c.lastProgress, c.lastEnded = now, p.Ended
	if c.log != nil {
		c.log.flush()
	}
	return p
}
