package fleet

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Health says how well a plan was kept. Due is Started and Dropped together:
// what was due is never missing.
type Health struct {
	Due, Started, Dropped int
	// Peak is the most boots that ran at once.
	Peak int
	// Lateness is how long after it was due each boot started.
	Lateness Lateness
}

// Run plays plan from now on: it calls boot for every arrival when it is due, in
// a goroutine of its own, or drop when plan.InFlight boots are running. Drop is
// called on the goroutine that keeps the time, so it must be quick. It returns
// when all arrivals have been due and all boots have returned.
//
// When ctx ends, what is not yet due is not due any more; what is already due is
// still started, with the ctx that has ended, so that it is accounted for.
//
// A plan that does not pass Check is run as far as it goes.
func Run(
	ctx context.Context,
	plan Plan,
	boot func(ctx context.Context, a Arrival, due time.Time),
	drop func(a Arrival, due time.Time),
) Health {
	r := runner{limit: plan.InFlight, boot: boot, drop: drop}
	if plan.Closed {
		return r.takeTurns(ctx, plan)
	}
	clock := newClock()
	defer clock.timer.Stop()
	for a := range plan.Arrivals() {
		due := clock.start.Add(a.Offset)
		if !clock.wait(ctx, due) {
			break
		}
		r.arrive(ctx, a, due)
	}
	r.boots.Wait()
	r.health.Lateness = r.late.summary()
	return r.health
}

// runner is the state of one Run. Only running and late are shared with boots.
type runner struct {
	limit int
	boot  func(context.Context, Arrival, time.Time)
	drop  func(Arrival, time.Time)

	boots   sync.WaitGroup
	running atomic.Int64
	late    histogram
	health  Health
}

func (r *runner) arrive(ctx context.Context, a Arrival, due time.Time) {
	r.health.Due++
	if r.limit > 0 && r.running.Load() >= int64(r.limit) {
		r.health.Dropped++
		r.drop(a, due)
		return
	}
	r.health.Started++
	r.health.Peak = max(r.health.Peak, int(r.running.Add(1)))
	r.boots.Go(func() {
		// Measured here, not where the goroutine was made: a machine that is
		// too busy to run it is late too.
		r.late.add(time.Since(due))
		r.boot(ctx, a, due)
		r.running.Add(-1)
	})
}

// clock waits for points on one absolute time line, so that a sleep that took
// too long delays what became due meanwhile and nothing after it.
type clock struct {
	start   time.Time
	stopped time.Time // when ctx was seen to have ended
	timer   *time.Timer
}

func newClock() *clock {
	return &clock{start: time.Now(), timer: time.NewTimer(0)}
}

// wait returns at due, at once if that is past, and reports whether the arrival
// is due at all. What was due before ctx ended is, however late the clock is by
// then. It does not spin: Linux wakes it up to a millisecond late, and it then
// starts all that became due without sleeping in between.
func (c *clock) wait(ctx context.Context, due time.Time) bool {
	left := time.Until(due)
	if c.stopped.IsZero() && left > 0 {
		c.timer.Reset(left)
		select {
		case <-c.timer.C:
		case <-ctx.Done():
		}
	}
	if c.stopped.IsZero() && ctx.Err() != nil {
		c.stopped = time.Now()
	}
	return c.stopped.IsZero() || !due.After(c.stopped)
}
