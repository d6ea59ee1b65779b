package live

import (
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// series is what a run's charts are drawn from: arrivals, and devices by stage, in
// slots of time. When there are too many, each two become one, so neither memory nor
// a snapshot grows with the run.
type series struct {
	origin time.Time
	width  time.Duration
	slots  []slot
}

type slot struct {
	due, started int
	stages       metrics.Stages // as the slot ends
	seen         bool           // somebody has looked at the stages
}

const (
	maxSlots   = 240
	finestSlot = 200 * time.Millisecond
)

func newSeries(origin time.Time) *series { return &series{origin: origin, width: finestSlot} }

func (s *series) arrived(due, started time.Time, did bool) {
	s.at(due).due++
	if did {
		s.at(started).started++
	}
}

func (s *series) look(now time.Time, in metrics.Stages) {
	at := s.at(now)
	at.stages, at.seen = in, true
}

// at is the slot of a time; it is good until the next call. What was due before the
// run's start counts as due then.
func (s *series) at(t time.Time) *slot {
	since := max(0, t.Sub(s.origin))
	for since/s.width >= maxSlots {
		s.coarsen()
	}
	i := int(since / s.width)
	for len(s.slots) <= i {
		s.slots = append(s.slots, slot{})
	}
	return &s.slots[i]
}

func (s *series) coarsen() {
	s.width *= 2
	half := (len(s.slots) + 1) / 2
	for i := range half {
		merged := s.slots[2*i]
		if 2*i+1 < len(s.slots) {
			merged.merge(s.slots[2*i+1])
		}
		s.slots[i] = merged
	}
	clear(s.slots[half:])
	s.slots = s.slots[:half]
}

func (s *slot) merge(later slot) {
	s.due += later.due
	s.started += later.started
	if later.seen {
		s.stages, s.seen = later.stages, true
	}
}

// seriesJSON is the same as the page draws it; a stage that no device was in is not
// there.
type seriesJSON struct {
	Width   float64     `json:"width"` // seconds
	Due     []int       `json:"due"`
	Started []int       `json:"started"`
	Stages  []stageJSON `json:"stages"`
}

type stageJSON struct {
	Name   string `json:"name"`
	Values []int  `json:"values"`
}

// json is all slots but the last, which is not over yet, unless the run is.
func (s *series) json(over bool) seriesJSON {
	n := len(s.slots)
	if !over {
		n = max(0, n-1)
	}
	out := seriesJSON{Width: s.width.Seconds(), Due: make([]int, n), Started: make([]int, n), Stages: []stageJSON{}}
	var values [len(metrics.Stages{})][]int
	var in metrics.Stages
	for i, at := range s.slots[:n] {
		out.Due[i], out.Started[i] = at.due, at.started
		if at.seen {
			in = at.stages
		}
		for stage, count := range in {
			if count > 0 && values[stage] == nil {
				values[stage] = make([]int, n)
			}
			if values[stage] != nil {
				values[stage][i] = count
			}
		}
	}
	for stage, counts := range values {
		if counts != nil {
			out.Stages = append(out.Stages, stageJSON{device.Stage(stage).String(), counts})
		}
	}
	return out
}
