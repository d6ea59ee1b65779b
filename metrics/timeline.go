package metrics

import (
	"maps"
	"math"
	"slices"
	"time"

	"dpsfleet/device"
)

// Charts are a run over its time, as pictures of it need it: never more than
// some hundred points, however long the run and however many its boots.
type Charts struct {
	Width  Millis // of a point
	Points []Point
	// Spread is how the time to assigned was distributed, over all fleets.
	Spread []Bar
}

// Point is what happened from At to At plus the width.
type Point struct {
	At           Millis // since the run's start
	Due, Started int    // boots
	Outcomes     map[device.Outcome]int
	// Stages counts the boots in each stage, by device.Stage, as the point ends.
	Stages [int(device.Dropped) + 1]int
	// Assigned counts the devices that were assigned, and the percentiles are of
	// their time to assigned, good to 1 %; Max is exact.
	Assigned      int
	P50, P95, Max Millis
}

// Bar is how many values lay from From up to To.
type Bar struct {
	From, To Millis
	Count    int
}

const (
	maxPoints   = 120
	finestPoint = 10 * time.Millisecond
)

// timeline folds boots into slots of time. When there are too many, each two
// become one, so that neither memory nor a picture grows with the run.
type timeline struct {
	origin time.Time
	width  time.Duration
	slots  []slotOfTime
}

type slotOfTime struct {
	due, started int
	outcomes     map[device.Outcome]int
	moved        [int(device.Dropped) + 1]int // into a stage less out of it
	assigned     spread
}

func newTimeline(origin time.Time) *timeline {
	return &timeline{origin: origin, width: finestPoint}
}

func (l *timeline) add(b *Boot) {
	l.at(b.Due).due++
	if b.Outcome != device.OutcomeDropped {
		l.at(b.Due.Add(b.Lateness().Duration())).started++
		l.addStages(b)
	}
	end := l.at(b.Due.Add(b.Took().Duration()))
	if end.outcomes == nil {
		end.outcomes = make(map[device.Outcome]int)
	}
	end.outcomes[b.Outcome]++
	if took, ok := b.TimeToAssigned(); ok {
		l.at(b.Due.Add(took.Duration())).assigned.add(took)
	}
}

func (l *timeline) addStages(b *Boot) {
	at := b.Due
	for _, s := range b.Stages {
		if int(s.Stage) > int(device.Dropped) {
			continue
		}
		l.at(at).moved[s.Stage]++
		at = at.Add(s.Took.Duration())
		l.at(at).moved[s.Stage]--
	}
}

// at is the slot of a time; it is good until the next call.
func (l *timeline) at(t time.Time) *slotOfTime {
	if l.origin.IsZero() {
		l.origin = t
	}
	if since := t.Sub(l.origin); since < 0 {
		l.reachBack(-since)
	}
	for int64(t.Sub(l.origin)/l.width) >= maxPoints {
		l.coarsen()
	}
	i := int(t.Sub(l.origin) / l.width)
	for len(l.slots) <= i {
		l.slots = append(l.slots, slotOfTime{})
	}
	return &l.slots[i]
}

// reachBack puts the origin earlier. A log that has lost its X.run.json does not
// say when its run began, and its first line is not its first boot.
func (l *timeline) reachBack(by time.Duration) {
	for int64(by/l.width)+1+int64(len(l.slots)) > maxPoints && l.width < math.MaxInt64/2/maxPoints {
		l.coarsen()
	}
	n := min(int(by/l.width)+1, maxPoints)
	l.slots = slices.Insert(l.slots, 0, make([]slotOfTime, n)...)
	l.origin = l.origin.Add(-time.Duration(n) * l.width)
}

func (l *timeline) coarsen() {
	l.width *= 2
	half := (len(l.slots) + 1) / 2
	for i := range half {
		merged := l.slots[2*i]
		if 2*i+1 < len(l.slots) {
			merged.merge(&l.slots[2*i+1])
		}
		l.slots[i] = merged
	}
	clear(l.slots[half:])
	l.slots = l.slots[:half]
}

// clone shares nothing with l.
func (l *timeline) clone() *timeline {
	c := *l
	c.slots = slices.Clone(l.slots)
	for i := range c.slots {
		s := &c.slots[i]
		s.outcomes, s.assigned.bins = maps.Clone(s.outcomes), slices.Clone(s.assigned.bins)
	}
	return &c
}

func (s *slotOfTime) merge(other *slotOfTime) {
	s.due += other.due
	s.started += other.started
	for i, n := range other.moved {
		s.moved[i] += n
	}
	if s.outcomes == nil {
		s.outcomes = other.outcomes
	} else {
		for outcome, n := range other.outcomes {
			s.outcomes[outcome] += n
		}
	}
	s.assigned.merge(&other.assigned)
}

func (l *timeline) points() []Point {
	points := make([]Point, len(l.slots))
	var in [int(device.Dropped) + 1]int
	for i := range l.slots {
		s, p := &l.slots[i], &points[i]
		for stage, n := range s.moved {
			in[stage] += n
		}
		p.At = millis(time.Duration(i) * l.width)
		p.Due, p.Started, p.Outcomes, p.Stages = s.due, s.started, s.outcomes, in
		p.Assigned, p.Max = s.assigned.n, s.assigned.max
		p.P50, p.P95 = s.assigned.quantile(50), s.assigned.quantile(95)
	}
	return points
}
