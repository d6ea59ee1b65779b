package fleet

import (
	"context"
	"iter"
	"sync"
	"time"
)

// takeTurns plays a closed plan: each of limit goroutines boots one device after
// the other.
func (r *runner) takeTurns(ctx context.Context, plan Plan) Health {
	next, stop := iter.Pull(plan.Arrivals())
	defer stop()
	var mu sync.Mutex
	start := time.Now()
	turn := func() (a Arrival, due time.Time, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		due = time.Now()
		over := plan.For > 0 && due.Sub(start) >= plan.For
		if over || ctx.Err() != nil {
			return a, due, false
		}
		if a, ok = next(); ok {
			r.health.Due++
			r.health.Started++
		}
		return a, due, ok
	}
	for range r.limit {
		r.boots.Go(func() {
			for a, due, ok := turn(); ok; a, due, ok = turn() {
				r.late.add(0)
				r.boot(ctx, a, due)
			}
		})
	}
	r.boots.Wait()
	r.health.Peak = min(r.limit, r.health.Started)
	r.health.Lateness = r.late.summary()
	return r.health
}
