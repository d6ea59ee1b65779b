package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/fleet"
)

// never is for plans that drop nobody.
func never(t *testing.T) func(fleet.Arrival, time.Time) {
	return func(a fleet.Arrival, _ time.Time) { t.Errorf("%+v was dropped", a) }
}

func sleepFor(d time.Duration) func(context.Context, fleet.Arrival, time.Time) {
	return func(ctx context.Context, _ fleet.Arrival, _ time.Time) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
}

func TestEachBootStartsWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := one(t, 50, "ramp 1/s to 30/s over 2s")
		begin := time.Now()
		var mu sync.Mutex
		var starts []time.Duration
		health := fleet.Run(t.Context(), plan, func(_ context.Context, a fleet.Arrival, due time.Time) {
			if now := time.Now(); !now.Equal(due) || now.Sub(begin) != a.Offset {
				t.Errorf("%+v was due %v and started %v after the beginning", a, due.Sub(begin), now.Sub(begin))
			}
			mu.Lock()
			starts = append(starts, a.Offset)
			mu.Unlock()
			time.Sleep(time.Hour)
		}, never(t))
		slices.Sort(starts)
		if !slices.Equal(starts, offsets(plan)) {
			t.Errorf("started at %v", starts)
		}
		if want := (fleet.Health{Due: 50, Started: 50, Peak: 50}); health != want {
			t.Errorf("%+v, want %+v", health, want)
		}
		if took, want := time.Since(begin), starts[49]+time.Hour; took != want {
			t.Errorf("Run returned after %v, want %v: it waits for all boots", took, want)
		}
	})
}

func TestBurstStartsAllAtOnce(t *testing.T) {
	count := 20_000
	if raceEnabled {
		count = 50 // golang/go#78156
	}
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		health := fleet.Run(t.Context(), one(t, count, "burst"), sleepFor(time.Second), never(t))
		if want := (fleet.Health{Due: count, Started: count, Peak: count}); health != want {
			t.Errorf("%+v, want %+v", health, want)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestOverTheLimitIsDroppedAndNeverSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One every 100 ms, each running for 250 ms: places are free at 0, 100,
		// 300 (of the first), 400 (of the second), 600 ...
		plan := one(t, 9, "constant 10/s")
		plan.InFlight = 2
		begin := time.Now()
		var dropped []time.Duration
		health := fleet.Run(t.Context(), plan, sleepFor(250*time.Millisecond), func(_ fleet.Arrival, due time.Time) {
			if !time.Now().Equal(due) {
				t.Errorf("due %v, dropped %v", due, time.Now())
			}
			dropped = append(dropped, due.Sub(begin))
		})
		if want := millis(200, 500, 800); !slices.Equal(dropped, want) {
			t.Errorf("dropped at %v, want %v", dropped, want)
		}
		if want := (fleet.Health{Due: 9, Started: 6, Dropped: 3, Peak: 2}); health != want {
			t.Errorf("%+v, want %+v", health, want)
		}
	})
}

func TestCancelledRunAccountsForAllThatWereDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		begin := time.Now()
		health := fleet.Run(ctx, one(t, 1000, "constant 10/s"), sleepFor(time.Hour), never(t))
		if want := (fleet.Health{Due: 3, Started: 3, Peak: 3}); health != want {
			t.Errorf("%+v, want %+v", health, want)
		}
		if took := time.Since(begin); took != 250*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestDueInTheVeryMomentOfTheEndIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if health := fleet.Run(ctx, one(t, 1000, "constant 10/s"), sleepFor(0), never(t)); health.Due != 3 {
			t.Errorf("%d were due, want those of 0, 100 and 200 ms", health.Due)
		}
	})
}

func TestRunThatHasEndedBeforeStartsWhatIsDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		ended := 0
		health := fleet.Run(ctx, one(t, 20, "burst 1 for 1s", "burst"), func(ctx context.Context, _ fleet.Arrival, _ time.Time) {
			if ctx.Err() != nil {
				ended++
			}
		}, never(t))
		if health.Due != 1 || ended != 1 {
			t.Errorf("%d were due and %d saw the end; want 1 and 1", health.Due, ended)
		}
	})
}

// A drop that blocks, as a full recorder does, holds up the clock. What became
// due meanwhile starts at once afterwards, is late by what it was late, and what
// comes later is on time again.
func TestHeldUpClockCatchesUpAndConfesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := one(t, 101, "constant 10/s")
		plan.InFlight = 1
		begin := time.Now()
		var late []time.Duration
		boot := func(ctx context.Context, a fleet.Arrival, due time.Time) {
			if d := time.Since(due); d > 0 {
				late = append(late, d)
			}
			if a.Index == 0 {
				time.Sleep(150 * time.Millisecond)
			}
		}
		health := fleet.Run(t.Context(), plan, boot, func(a fleet.Arrival, _ time.Time) {
			if a.Index == 1 {
				time.Sleep(350 * time.Millisecond)
			}
		})
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it took %v, want 10s: lateness adds up", took)
		}
		if len(late) == 0 || late[0] != 250*time.Millisecond {
			t.Errorf("late were %v, want the first, due at 200 ms, started at 450 ms", late)
		}
		if health.Lateness.Max != 250*time.Millisecond || health.Lateness.P50 != 0 {
			t.Errorf("%+v", health.Lateness)
		}
		if health.Due != 101 || health.Started+health.Dropped != 101 {
			t.Errorf("%+v", health)
		}
	})
}

// Three times 50 boots wait at a gate, so that the 51st is dropped; its drop
// holds up the clock for a second before it opens the gate.
func TestLatenessIsNeverUnderstated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := one(t, 152, "burst 50 for 10ms", "constant 100/s")
		plan.InFlight = 50
		gates := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
		close(gates[2])
		late := make([]time.Duration, 152)
		health := fleet.Run(t.Context(), plan, func(_ context.Context, a fleet.Arrival, due time.Time) {
			late[a.Index] = time.Since(due)
			<-gates[a.Index/51]
		}, func(a fleet.Arrival, _ time.Time) {
			time.Sleep(time.Second)
			close(gates[a.Index/51])
			synctest.Wait()
			late[a.Index] = -1
		})
		if want := (fleet.Health{Due: 152, Started: 150, Dropped: 2, Peak: 50, Lateness: health.Lateness}); health != want {
			t.Fatalf("%+v, want %+v", health, want)
		}
		slices.Sort(late)
		late = late[2:]
		checkQuantile(t, "p50", health.Lateness.P50, late[75-1])
		checkQuantile(t, "p99", health.Lateness.P99, late[149-1])
		if late[75-1] == 0 || health.Lateness.Max != late[150-1] {
			t.Errorf("max is %v, want %v", health.Lateness.Max, late[150-1])
		}
	})
}

func checkQuantile(t *testing.T, name string, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+want/100 {
		t.Errorf("%s is %v, want %v to 1 %% more", name, got, want)
	}
}

// Five devices are due at once, and two may run at once.
func ExampleRun() {
	plan := fleet.Plan{Fleets: []fleet.Fleet{{Name: "toasters", Count: 5}}, InFlight: 2}
	booting := make(chan struct{})
	dropped := 0
	health := fleet.Run(context.Background(), plan,
		func(context.Context, fleet.Arrival, time.Time) { <-booting },
		func(a fleet.Arrival, _ time.Time) {
			fmt.Println("dropped", plan.Fleets[a.Fleet].Name, a.Index)
			if dropped++; dropped == 3 {
				close(booting)
			}
		})
	fmt.Println(health.Due, "due,", health.Started, "started,", health.Dropped, "dropped")
	// Output:
	// dropped toasters 2
	// dropped toasters 3
	// dropped toasters 4
	// 5 due, 2 started, 3 dropped
}
