package fleet_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/fleet"
)

func TestClosedPlanStartsOneWhenOneHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := one(t, 1000, "constant 100000/s")
		plan.Closed, plan.InFlight, plan.For = true, 4, 10*time.Second
		var running, most atomic.Int64
		var mu sync.Mutex
		seen := make(map[int]bool)
		health := fleet.Run(t.Context(), plan, func(_ context.Context, a fleet.Arrival, due time.Time) {
			if !due.Equal(time.Now()) {
				t.Errorf("%+v was due %v ago", a, time.Since(due))
			}
			most.Store(max(most.Load(), running.Add(1)))
			mu.Lock()
			seen[a.Index] = true
			mu.Unlock()
			time.Sleep(time.Second)
			running.Add(-1)
		}, never(t))
		if want := (fleet.Health{Due: 40, Started: 40, Peak: 4}); health != want || len(seen) != 40 || most.Load() != 4 {
			t.Errorf("%+v, %d devices, %d at once; want %+v", health, len(seen), most.Load(), want)
		}
	})
}

func TestClosedPlanNeedsALimit(t *testing.T) {
	if err := (fleet.Plan{Closed: true}).Check(); err == nil {
		t.Error("a closed plan without a limit passes")
	}
}
