// Package fleet decides when each device of a fleet starts, and starts it then.
//
// A plan is a pure function from a seed and a list of shapes to offsets: it can
// be tested without a clock, printed before anything happens, and cut into
// shards that together are the whole. Run plays it open loop: a device starts
// when it is due, however slow the ones before it are, or it is dropped and
// counted; it is never skipped and never late in silence.
//
// The package must not know what a boot is: a boot is a func, and MQTT, a direct
// call of a webhook and a benchmark's no-op are three of them. It neither
// measures devices nor judges them.
package fleet

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// Fleet is a number of devices that come together.
type Fleet struct {
	// Name is the fleet's name in its plan. It also picks the stream of its
	// random numbers, so that fleets do not change each other's arrivals.
	Name  string
	Count int
	// Start is when the first stage begins, counted from the plan's start.
	Start time.Duration
	// Arrive holds the stages in order; none is a burst. Count decides how many
	// come: what the last stage ends with holds until all have.
	Arrive []Shape
	// At are the offsets of all its devices, in order, instead of Arrive: those of
	// something that happened once.
	At []time.Duration `json:",omitempty"`
}

// Plan is all that decides when devices start.
type Plan struct {
	Fleets []Fleet
	Seed   uint64
	// InFlight is how many boots may run at once in this process; an arrival
	// beyond it is dropped. 0 is no limit.
	InFlight int
	// Closed makes a closed model of the plan, to find out how fast a target can
	// be: InFlight boots run at any time, and the next device is due when one of
	// them has ended, whatever its offset. Its lateness is nothing by definition,
	// and the target's slowness slows the plan.
	Closed bool
	// For ends a closed plan after so long; 0 plays all of it.
	For time.Duration
	// AtMost is how many devices may be due a second, over all shards: those
	// that come faster are put off. 0 is no bound.
	AtMost float64
	// Shard is which part of the plan is this process's, from 0, and Shards is
	// how many parts there are; 0 or 1 is all in one.
	Shard, Shards int
}

// Arrival is one device that is due.
type Arrival struct {
	Fleet  int           // index in the plan's Fleets
	Index  int           // index in its fleet, from 0
	Offset time.Duration // since the plan's start
}

// Arrivals gives the arrivals of the plan's shard in the order of their offsets;
// of those due at once, in the order of their fleets. It is the same sequence
// each time. The i-th of all shards together belongs to shard i modulo Shards.
func (p Plan) Arrivals() iter.Seq[Arrival] {
	return func(yield func(Arrival) bool) {
		position := 0
		var free time.Duration // when AtMost lets the next one in
		for a := range p.all() {
			if p.AtMost > 0 {
				a.Offset = max(a.Offset, free)
				free = a.Offset + time.Duration(float64(time.Second)/p.AtMost)
			}
			mine := p.Shards <= 1 || position%p.Shards == p.Shard
			position++
			if mine && !yield(a) {
				return
			}
		}
	}
}

// all merges the fleets. They are few, so the earliest is looked for one by one.
func (p Plan) all() iter.Seq[Arrival] {
	return func(yield func(Arrival) bool) {
		schedules := make([]*schedule, len(p.Fleets))
		for i, f := range p.Fleets {
			schedules[i] = newSchedule(f, p.Seed)
		}
		for {
			first := -1
			for i, s := range schedules {
				if s.due && (first < 0 || s.offset < schedules[first].offset) {
					first = i
				}
			}
			if first < 0 {
				return
			}
			s := schedules[first]
			if !yield(Arrival{Fleet: first, Index: s.index, Offset: s.offset}) {
				return
			}
			s.advance()
		}
	}
}

// Scaled is the plan with x times the devices at x times the rates, within x
// times the limit; durations stay. No fleet and no limit shrinks to nothing: one
// device stays, which comes in the time that its fleet took, and the limit keeps its
// proportion to those that stay.
func (p Plan) Scaled(x float64) Plan {
	before, after := 0, 0
	fleets := make([]Fleet, len(p.Fleets))
	for i, f := range p.Fleets {
		pace := max(x, 1/float64(max(f.Count, 1)))
		before += f.Count
		f.Count = scaleCount(f.Count, x)
		after += f.Count
		shapes := make([]Shape, len(f.Arrive))
		for j, s := range f.Arrive {
			shapes[j] = s.scaled(pace)
		}
		f.Arrive = shapes
		fleets[i] = f
	}
	p.Fleets = fleets
	p.InFlight = scaleCount(p.InFlight, max(x, float64(after)/float64(max(before, 1))))
	return p
}

func scaleCount(n int, x float64) int {
	if n <= 0 {
		return n
	}
	scaled := math.Round(float64(n) * x)
	return int(min(max(scaled, 1), math.MaxInt32))
}

// Check says all that is wrong with the plan, joined; each error names its
// fleet. A plan that passes starts every device of it.
func (p Plan) Check() error {
	var errs []error
	if p.Closed && p.InFlight <= 0 {
		errs = append(errs, errors.New("a closed plan needs a limit of boots in flight, which is its rate"))
	}
	if p.InFlight < 0 {
		errs = append(errs, fmt.Errorf("the limit of boots in flight is %d; 0 is none", p.InFlight))
	}
	if p.Shards > 1 && (p.Shard < 0 || p.Shard >= p.Shards) || p.Shards < 0 {
		errs = append(errs, fmt.Errorf("there is no shard %d of %d; shards count from 0", p.Shard, p.Shards))
	}
	names := make(map[string]bool, len(p.Fleets))
	for _, f := range p.Fleets {
		if names[f.Name] {
			errs = append(errs, fmt.Errorf("two fleets are called %q", f.Name))
		}
		names[f.Name] = true
		if err := f.check(p.Seed); err != nil {
			errs = append(errs, fmt.Errorf("fleet %q: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (f Fleet) check(seed uint64) error {
	switch {
	case f.Count < 0:
		return fmt.Errorf("its count is %d", f.Count)
	case f.Start < 0:
		return fmt.Errorf("its start is %v, before the run's", f.Start)
	case f.At != nil && len(f.At) != f.Count:
		return fmt.Errorf("%d of its %d devices have a time", len(f.At), f.Count)
	case len(f.Arrive) == 0:
		return nil
	}
	last := len(f.Arrive) - 1
	for i, s := range f.Arrive[:last] {
		if s.endless() {
			return fmt.Errorf("stage %d, %q, has no end, so that stage %d never begins: %s", i+1, s, i+2, s.howToEnd())
		}
	}
	if !f.Arrive[last].stops() {
		return nil
	}
	come := 0
	for range (Plan{Fleets: []Fleet{f}, Seed: seed}).Arrivals() {
		come++
	}
	if come < f.Count {
		return fmt.Errorf("%d of its %d devices come: its last stage, %q, ends at a rate of 0", come, f.Count, f.Arrive[last])
	}
	return nil
}

// Summary is a plan in figures.
type Summary struct {
	Devices     int
	First, Last time.Duration // offsets of the first and the last arrival
	Peak        int           // the most arrivals within any one second
}

// Describe counts what the plan's shard will do. One fleet is described by a
// plan that has only that one.
func (p Plan) Describe() Summary {
	var s Summary
	var within []time.Duration // the last second's arrivals, oldest first
	for a := range p.Arrivals() {
		if s.Devices == 0 {
			s.First = a.Offset
		}
		s.Devices++
		s.Last = a.Offset
		within = append(within, a.Offset)
		for within[0] <= a.Offset-time.Second {
			within = within[1:]
		}
		s.Peak = max(s.Peak, len(within))
	}
	return s
}
