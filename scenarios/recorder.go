package scenarios

import (
	"context"
	"sync"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// message is what flows to the recorder: an event, or an exchange.
type message struct {
	event      device.Event
	exchange   provisioning.Exchange
	isExchange bool
}

// recorder is the one goroutine that owns the collector. Devices and cloud send
// to it; a full channel blocks them, and the time blocked is held against the
// generator.
type recorder struct {
	in      chan *message
	taken   sync.Pool     // of messages that can be sent again
	quit    chan struct{} // closed when nobody listens any more
	done    chan struct{}
	blocked blocking

	// What devices and cloud send with. They are fields, as a method that is handed
	// on copies its argument once more, and these are large.
	event    func(device.Event)
	exchange func(provisioning.Exchange)
}

const (
	// A device and its cloud send about this many messages before they first
	// wait for anything, so the buffer takes up the shock of a fleet that starts
	// at once.
	messagesEach  = 6
	smallBuffer   = 1 << 12
	largestBuffer = 1 << 17 // 1 MB, and 65 MB of messages when it is full

	recorderTick = 100 * time.Millisecond
)

func newRecorder(devices int) *recorder {
	size := min(max(messagesEach*devices, smallBuffer), largestBuffer)
	r := &recorder{in: make(chan *message, size), quit: make(chan struct{}), done: make(chan struct{})}
	r.event = func(e device.Event) {
		m := r.blank()
		m.event = e
		r.send(m)
	}
	r.exchange = func(x provisioning.Exchange) {
		m := r.blank()
		m.exchange, m.isExchange = x, true
		r.send(m)
	}
	return r
}

// blank is an empty message. Its place is the heap's, so that no device's stack grows
// for it.
func (r *recorder) blank() *message {
	if m, ok := r.taken.Get().(*message); ok {
		return m
	}
	return new(message)
}

func (r *recorder) send(m *message) {
	select {
	case r.in <- m:
		return
	default:
	}
	r.blocked.enter()
	defer r.blocked.leave()
	select {
	case r.in <- m:
	case <-r.quit:
	}
}

// blocking measures for how long anybody was blocked: a thousand devices that
// wait for the same second have lost one second.
type blocking struct {
	mu      sync.Mutex
	waiting int
	since   time.Time
	total   time.Duration
}

func (b *blocking) enter() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting++; b.waiting == 1 {
		b.since = time.Now()
	}
}

func (b *blocking) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting--; b.waiting == 0 {
		b.total += time.Since(b.since)
	}
}

func (b *blocking) sum() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting > 0 {
		return b.total + time.Since(b.since)
	}
	return b.total
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
			r.take(c, m)
		case now := <-tick.C:
			r.look(c, cancel, now)
			c.Blocked(r.blocked.sum())
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
			r.take(c, m)
		default:
			return
		}
	}
}

// take hands a message to the collector, which copies what it keeps of it.
func (r *recorder) take(c *metrics.Collector, m *message) {
	sent := *m
	*m = message{}
	r.taken.Put(m)
	if sent.isExchange {
		c.Exchange(sent.exchange)
		return
	}
	c.Event(sent.event)
}

// stop ends the recorder after it has taken all that was sent before.
func (r *recorder) stop() {
	close(r.quit)
	<-r.done
}

// abortedError is the cause of a run that a threshold has ended.
type abortedError struct{ threshold string }

func (e abortedError) Error() string { return "stopped by the threshold " + e.threshold }
