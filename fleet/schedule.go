package fleet

import (
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

// schedule walks through one fleet's arrivals.
type schedule struct {
	count  int
	stages []Shape
	at     []time.Duration // instead of stages; nil for none
	rng    *rand.Rand

	// The next arrival, if one is due.
	due    bool
	index  int
	offset time.Duration

	stage int           // the stage that it is in
	began time.Duration // when that stage began
	place place
}

// place is how far a stage has come.
type place struct {
	area  float64 // of a rate's curve: under it the next arrival lies
	clock float64 // of a Poisson process: seconds to its last arrival
	come  int     // of a burst
}

func newSchedule(f Fleet, seed uint64) *schedule {
	stages := f.Arrive
	if len(stages) == 0 {
		stages = []Shape{{}}
	}
	h := fnv.New64a()
	io.WriteString(h, f.Name)
	s := &schedule{
		count:  f.Count,
		stages: stages,
		at:     f.At,
		rng:    rand.New(rand.NewPCG(seed, h.Sum64())),
		index:  -1,
		began:  f.Start,
	}
	s.advance()
	return s
}

// advance goes on to the next arrival.
func (s *schedule) advance() {
	s.index++
	s.due = false
	if s.index >= s.count {
		return
	}
	if s.index < len(s.at) {
		s.due, s.offset = true, s.began+s.at[s.index]
		return
	}
	for ; s.stage < len(s.stages); s.stage++ {
		shape := s.stages[s.stage]
		last := s.stage == len(s.stages)-1
		after, ok := shape.next(&s.place, s.rng, last)
		if ok {
			s.due = true
			s.offset = add(s.began, after)
			return
		}
		s.began = add(s.began, shape.span.Seconds())
	}
}

// next gives the seconds from a stage's beginning to its next arrival. It
// reports false at the stage's end and then leaves place for the next stage.
func (s Shape) next(p *place, rng *rand.Rand, last bool) (float64, bool) {
	switch s.kind {
	case burst:
		return 0, s.nextInBurst(p, last)
	case poisson:
		return s.nextInPoisson(p, rng, last)
	}
	return s.nextUnderCurve(p, last)
}

func (s Shape) nextInBurst(p *place, last bool) bool {
	if s.size > 0 && p.come >= s.size && !last {
		*p = place{}
		return false
	}
	p.come++
	return true
}

// nextInPoisson draws the gap to the next arrival. A process without memory may
// forget the draw that fell behind its end.
func (s Shape) nextInPoisson(p *place, rng *rand.Rand, last bool) (float64, bool) {
	p.clock += rng.ExpFloat64() / s.from.perSecond()
	over := p.clock >= s.span.Seconds() && !last
	if over || math.IsInf(p.clock, 1) {
		*p = place{}
		return 0, false
	}
	return p.clock, true
}

// rounding is how much of an arrival may be lost to floating point: 10/min for a
// minute are ten arrivals, not nine and one that slips into the next stage.
const rounding = 1e-9

// nextUnderCurve finds when the area under the rate's curve reaches the next
// arrival. The area carries over from stage to stage, so that stages of rates
// that meet have no seam.
func (s Shape) nextUnderCurve(p *place, last bool) (float64, bool) {
	area, span := s.area(), s.span.Seconds()
	if p.area < area-rounding {
		after := s.under(p.area)
		p.area++
		return after, true
	}
	beyond := max(0, p.area-area)
	if last && s.to.value > 0 {
		p.area++
		return span + beyond/s.to.perSecond(), true
	}
	*p = place{area: beyond}
	return 0, false
}

// area is how many arrivals the shape makes.
func (s Shape) area() float64 {
	if s.span == 0 && s.from.value > 0 {
		return math.Inf(1)
	}
	return (s.from.perSecond() + s.to.perSecond()) / 2 * s.span.Seconds()
}

// under solves from*t + slope*t*t/2 = area for t, in the form that divides by
// no slope, which may be 0.
func (s Shape) under(area float64) float64 {
	if area == 0 {
		return 0
	}
	from, slope := s.from.perSecond(), 0.0
	if s.span > 0 {
		slope = (s.to.perSecond() - from) / s.span.Seconds()
	}
	return 2 * area / (from + math.Sqrt(max(0, from*from+2*slope*area)))
}

// add adds seconds to d, to the nanosecond. What is too far to say is as far as
// can be said.
func add(d time.Duration, seconds float64) time.Duration {
	nanos := math.Round(seconds * float64(time.Second))
	if nanos >= float64(math.MaxInt64-d) {
		return math.MaxInt64
	}
	return d + time.Duration(nanos)
}
