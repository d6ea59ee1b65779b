package metrics

import (
	"time"

	"dpsfleet/device"
)

// Progress is a run at one moment.
type Progress struct {
	Elapsed time.Duration
	Direct  bool // what ends is calls of a webhook, see RunInfo
	Planned int  // devices in all, as far as is known
	Due     int  // boots begun or dropped
	Ended   int
	// Unexpected are those of Ended that met no expectation.
	Unexpected int
	Rate       float64 // boots ended a second since the last Progress
	// Recent is the same over the last ten seconds, and Left how long it will be
	// at that rate until all that is planned has ended; 0 is unknown.
	Recent float64
	Left   time.Duration
	// Blocked is for how long those who send events have waited in all.
	Blocked time.Duration
	Fleets  []FleetProgress
	Stages  Stages // of all fleets
}

// FleetProgress is one fleet at one moment.
type FleetProgress struct {
	Name                                      string
	Planned, Due, Ended, Assigned, Unexpected int
	Stages                                    Stages
}

// Progress is where the run stands. It also writes out what the log holds back,
// and the folds tick.
func (c *Collector) Progress(now time.Time) Progress {
	p := Progress{Elapsed: now.Sub(c.info.Started), Direct: c.info.Direct}
	for i, f := range c.fleets {
		fleet := FleetProgress{
			Name:       f.name,
			Due:        f.due,
			Ended:      f.ended,
			Assigned:   f.outcomes[device.OutcomeAssigned],
			Unexpected: f.unexpected,
			Stages:     f.stages,
		}
		if i < len(c.info.Fleets) {
			fleet.Planned = c.info.Fleets[i].Count
		}
		p.Fleets = append(p.Fleets, fleet)
		p.Planned += fleet.Planned
		p.Due += fleet.Due
		p.Ended += fleet.Ended
		p.Unexpected += fleet.Unexpected
		for stage, n := range fleet.Stages {
			p.Stages[stage] += n
		}
	}
	if since := now.Sub(c.lastProgress).Seconds(); since > 0 {
		p.Rate = float64(p.Ended-c.lastEnded) / since
	}
	c.lastProgress, c.lastEnded = now, p.Ended
	p.Recent = c.pace.rate(c.info.Started, now, p.Ended)
	if p.Recent > 0 && p.Planned > p.Ended {
		p.Left = time.Duration(float64(p.Planned-p.Ended) / p.Recent * float64(time.Second))
	}
	p.Blocked = c.blocked
	switch over := tooLong(c.blocked, p.Elapsed); {
	case !over:
		c.blockedFrom = 0
	case c.blockedFrom == 0:
		c.blockedFrom = p.Elapsed
	}
	if c.log != nil {
		c.log.flush()
	}
	c.folds.tick(p, c)
	return p
}
