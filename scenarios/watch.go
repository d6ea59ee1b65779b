package scenarios

import (
	"runtime"
	"time"

	"dpsfleet/metrics"
)

// lookEvery is how often a run looks at the program's own health.
const lookEvery = time.Second

// lookAfter looks at the program's own health until the func is called that it
// returns, which tells what was seen. It does so apart from the recorder, so that
// one that is held up, by a disk that is slow, is not taken for a machine that
// sleeps.
func lookAfter() (stop func() metrics.Machine) {
	w := metrics.Watch{Every: lookEvery, CPUs: runtime.GOMAXPROCS(0)}
	w.Take(metrics.ReadVitals())
	end := everyLook(func() { w.Take(metrics.ReadVitals()) })
	return func() metrics.Machine {
		end()
		w.Take(metrics.ReadVitals())
		return w.Machine()
	}
}

// everyLook does something each lookEvery, in a goroutine that has ended when stop
// returns.
func everyLook(do func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}
