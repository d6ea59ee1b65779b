package scenarios

import (
	"context"
	"sync/atomic"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// message is what flows to the recorder: an event, or an exchange.
type message struct {
	event    device.Event
	exchange *provisioning.Exchange
}

// recorder is the one goroutine that owns the collector. Devices and cloud send
// to it; a full channel blocks them, and the time blocked is held against the
// generator.
type recorder struct {
	in      chan message
	quit    chan struct{} // closed when nobody listens any more
	done    chan struct{}
	blocked atomic.Int64 // nanoseconds
}

const (
	recorderBuffer = 4096
	recorderTick   = 100 * time.Millisecond
)

func newRecorder() *recorder {
	return &recorder{in: make(chan message, recorderBuffer), quit: make(chan struct{}), done: make(chan struct{})}
}

func (r *recorder) event(e device.Event) { r.send(message{event: e}) }

func (r *recorder) exchange(x provisioning.Exchange) { r.send(message{exchange: &x}) }

func (r *recorder) send(m message) {
	select {
	case r.in <- m:
		return
	default:
	}
	start := time.Now()
	select {
	case r.in <- m:
	case <-r.quit:
	}
	r.blocked.Add(int64(time.Since(start)))
}

// run owns the collector until stop is called. It ends the run through cancel
// when a threshold says so, or when the set-up is wrong.
func (r *recorder) run(c *metrics.Collector, cancel context.CancelCauseFunc, progress func(metrics.Progress)) {
	defer close(r.done)
	tick := time.NewTicker(recorderTick)
	defer tick.Stop()
	for {
		select {
		case m := <-r.in:
			take(c, m)
		case now := <-tick.C:
			r.look(c, cancel, now)
			if p := c.Progress(now); progress != nil {
				progress(p)
			}
		case <-r.quit:
			r.drain(c)
			return
		}
	}
}

func (r *recorder) look(c *metrics.Collector, cancel context.CancelCauseFunc, now time.Time) {
	if cause, why, ok := c.Misconfigured(); ok {
		cancel(&SetupError{Cause: cause, Why: why})
	}
	if t, abort := c.Aborting(now); abort {
		cancel(abortedError{t.Threshold.String() + ": " + t.Text})
	}
}

// drain takes what was sent before quit was closed.
func (r *recorder) drain(c *metrics.Collector) {
	for {
		select {
		case m := <-r.in:
			take(c, m)
		default:
			return
		}
	}
}

func take(c *metrics.Collector, m message) {
	if m.exchange != nil {
		c.Exchange(*m.exchange)
		return
	}
	c.Event(m.event)
}

// stop ends the recorder after it has taken all that was sent before.
func (r *recorder) stop() {
	close(r.quit)
	<-r.done
}

// abortedError is the cause of a run that a threshold has ended.
type abortedError struct{ threshold string }

func (e abortedError) Error() string { return "stopped by the threshold " + e.threshold }
