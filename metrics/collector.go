package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// Collector is all folds in one value. One goroutine owns it: call its methods
// from no other.
type Collector struct {
	info   RunInfo
	log    *Log
	boots  *boots
	fleets []*fleetFold
	named  map[string]*fleetFold
	rec    *reconciler
	folds  folds

	unexpected []Boot
	slowest    []Boot
	timeline   *timeline
	setup      setup
	// trusting folds a log whose expectations are not known: each line, recorded,
	// says itself whether it was expected.
	trusting bool
	recorded Boot

	// heard is the event that folds look at, nil where none does: one place for
	// all of them, since each would be allocated.
	heard *device.Event

	lastProgress time.Time
	lastEnded    int
	pace         pace
	blocked      time.Duration
	blockedFrom  time.Duration // since when that has been too long; 0 if it is not
}

// NewCollector makes a collector for the run that info tells of. The log may be
// nil; folds are fed beside it. Errors are those of the run's expectations and of
// thresholds on fleets that it does not have.
func NewCollector(info RunInfo, log *Log, fed ...Fold) (*Collector, error) {
	info.Started = moment(info.Started)
	c := &Collector{info: info, log: log, named: make(map[string]*fleetFold), lastProgress: info.Started, folds: fed}
	if c.folds.hearEvents() {
		c.heard = new(device.Event)
	}
	c.boots = newBoots(c.begun, c.ended)
	c.boots.once = info.Direct
	c.timeline = newTimeline(info.Started)
	if info.Ours {
		c.rec = newReconciler()
	}
	var errs []error
	for _, fleet := range info.Fleets {
		j, err := newJudge(fleet.Expect, info.sees())
		if err != nil {
			errs = append(errs, fmt.Errorf("fleet %s: %w", fleet.Name, err))
		}
		c.addFleet(newFleetFold(fleet.Name, j))
	}
	for _, t := range info.Thresholds {
		if t.Fleet != "" && c.named[t.Fleet] == nil {
			errs = append(errs, fmt.Errorf("threshold %q: no fleet is called %q", t, t.Fleet))
		}
	}
	if len(errs) == 0 {
		c.folds.start(info)
	}
	return c, errors.Join(errs...)
}

func (c *Collector) addFleet(f *fleetFold) *fleetFold {
	c.fleets = append(c.fleets, f)
	c.named[f.name] = f
	return f
}

// fleet is a fleet by name. One that was not announced is held to the default
// expectation; the log of a run without its X.run.json has only such.
func (c *Collector) fleet(name string) *fleetFold {
	if f := c.named[name]; f != nil {
		return f
	}
	j, _ := newJudge(nil, c.info.sees()) // nothing in the default to refuse
	return c.addFleet(newFleetFold(name, j))
}

// Event takes what a device did.
func (c *Collector) Event(e device.Event) {
	if c.heard != nil {
		*c.heard = e
		c.folds.event(c.heard)
	}
	if c.rec != nil {
		c.rec.event(&e)
	}
	c.boots.event(&e)
}

// Exchange takes what the cloud served. Its bytes are kept: they must not change
// any more.
func (c *Collector) Exchange(x provisioning.Exchange) {
	c.folds.exchange(x)
	c.boots.exchange(&x)
	if c.rec != nil {
		c.rec.exchange(&x)
	}
}

func (c *Collector) begun(fleet string) *Stages {
	f := c.fleet(fleet)
	f.due++
	return &f.stages
}

// ended takes each boot once.
func (c *Collector) ended(b *Boot) {
	f := c.fleet(b.Fleet)
	f.judge.judge(b)
	if c.trusting {
		b.Expected, b.Met, b.Unmet = c.recorded.Expected, c.recorded.Met, c.recorded.Unmet
	}
	b.forget()
	f.add(b)
	c.timeline.add(b)
	c.setup.add(b)
	c.keep(b)
	c.keepSlowest(b)
	if c.log != nil {
		c.log.write(b)
	}
	c.folds.boot(b)
}

// maxUnexpected bounds the boots that the report shows.
const maxUnexpected = 10

// keep remembers the first boots that met no expectation. Once there are enough,
// one that failed takes the place of one that was assigned.
func (c *Collector) keep(b *Boot) {
	switch {
	case b.Met:
	case len(c.unexpected) < maxUnexpected:
		c.unexpected = append(c.unexpected, *b)
	case b.Outcome != device.OutcomeAssigned && b.Outcome != device.OutcomeInterrupted:
		for i := range c.unexpected {
			if o := c.unexpected[i].Outcome; o == device.OutcomeAssigned || o == device.OutcomeInterrupted {
				c.unexpected[i] = *b
				return
			}
		}
	}
}

// maxSlowest bounds the slowest boots that are shown; a report names them beside
// the unexpected.
const maxSlowest = 5

// keepSlowest remembers which of the boots that ended as expected took longest.
func (c *Collector) keepSlowest(b *Boot) {
	n := len(c.slowest)
	if !b.Met || n == maxSlowest && slower(&c.slowest[n-1], b) < 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(c.slowest, b, func(kept Boot, b *Boot) int { return slower(&kept, b) })
	c.slowest = slices.Insert(c.slowest, at, *b)
	c.slowest = c.slowest[:min(len(c.slowest), maxSlowest)]
}

// slower orders boots, the slowest first, the same ones in the same order
// whichever ended first.
func slower(a, b *Boot) int {
	return cmp.Or(cmp.Compare(b.Took(), a.Took()), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Boot, b.Boot))
}

// Finish ends the boots that are still open, as interrupted.
func (c *Collector) Finish(now time.Time) {
	c.boots.finish(now)
	c.setup.complete = true
	c.Progress(now)
}

// Aborting is the first threshold that asks for the run's end at this time. One
// that has no data yet does not.
func (c *Collector) Aborting(now time.Time) (ThresholdResult, bool) {
	for _, t := range c.info.Thresholds {
		if !t.Abort || now.Sub(c.info.Started) < t.After {
			continue
		}
		if r := c.judge(t, mergeFor(t, c.fleets)); !r.Met && !r.NoData {
			return r, true
		}
	}
	return ThresholdResult{}, false
}

// Blocked says for how long those who send events have waited in all.
func (c *Collector) Blocked(d time.Duration) { c.blocked = d }

// Times are the durations as they stand, over all fleets, as Report has them at
// the end. It costs as much as Thresholds does.
func (c *Collector) Times() []Times { return merge(c.fleets).times() }

// Points are what has happened so far, each point as wide as width, which is at
// least as wide as that.
func (c *Collector) Points(least time.Duration) (width Millis, points []Point) {
	l := c.timeline
	if l.width < least {
		l = l.clone()
	}
	for l.width < least {
		l.coarsen()
	}
	return millis(l.width), l.points()
}

// Thresholds are the thresholds as they stand. It costs some milliseconds: ask
// once a second, not at every tick.
func (c *Collector) Thresholds() []ThresholdResult {
	results := make([]ThresholdResult, 0, len(c.info.Thresholds))
	for _, t := range c.info.Thresholds {
		results = append(results, c.judge(t, mergeFor(t, c.fleets)))
	}
	return results
}

func (c *Collector) judge(t Threshold, all *fleetFold) ThresholdResult {
	if t.Fleet != "" {
		return t.judge(c.named[t.Fleet], c.info.sees())
	}
	return t.judge(all, c.info.sees())
}

// Misconfigured reports that the first 20 boots (or, after Finish, all if there
// were fewer) ended on one cause in the set-up that nobody expected, and none
// otherwise: the run should stop and say why, in the words of the first failure.
func (c *Collector) Misconfigured() (cause device.Cause, why string, ok bool) {
	if c.setup.broken() {
		return c.setup.cause, c.setup.why, true
	}
	return "", "", false
}

// setup watches the first boots for a mistake that will fail them all.
type setup struct {
	boots    int
	cause    device.Cause
	why      string
	fine     bool
	complete bool
}

const firstBoots = 20

func (s *setup) add(b *Boot) {
	s.boots++
	if s.fine || s.boots > firstBoots {
		return
	}
	if s.boots == 1 {
		s.cause, s.why = b.Cause, b.Error
	}
	s.fine = b.Met || b.Cause == "" || b.Cause != s.cause
}

func (s *setup) broken() bool {
	return !s.fine && s.boots > 0 && (s.complete || s.boots >= firstBoots)
}
