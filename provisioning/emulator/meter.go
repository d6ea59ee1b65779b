package emulator

import (
	"math"
	"sync"
	"time"
)

// limit is so many requests in so long. Microsoft's documents say no more than
// that ("1,000/min"). By default it is counted in windows, the first of which
// begins with the first request: that takes the words as they are, needs no size
// of a burst that is documented nowhere, and its retry-after is the end of the
// window. A bucket of the same size that is filled evenly is the other way.
type limit struct {
	n      int
	per    time.Duration
	bucket bool
}

// meter holds requests against a limit. The zero meter has seen none.
type meter struct {
	// at is when the window began whose turns are given out, or when the bucket
	// will be full again.
	at   time.Time
	used int
}

// admit is how long a request that comes now has to wait for its turn. The turn
// is taken if it comes within patience; otherwise the request has left no trace.
func (m *meter) admit(l limit, now time.Time, patience time.Duration) (time.Duration, bool) {
	if l.bucket {
		return m.pour(l, now, patience)
	}
	end := m.at.Add(l.per)
	switch {
	case !now.Before(end):
		m.at, m.used = now, 1
		return 0, true
	case m.used < l.n:
		m.used++
		return max(0, m.at.Sub(now)), true
	case end.Sub(now) > patience:
		return end.Sub(now), false
	}
	m.at, m.used = end, 1
	return end.Sub(now), true
}

// pour is admit for a bucket, as the generic cell rate algorithm has it.
func (m *meter) pour(l limit, now time.Time, patience time.Duration) (time.Duration, bool) {
	drop := l.per / time.Duration(l.n)
	full := m.at
	if full.Before(now) {
		full = now
	}
	wait := max(0, full.Add(drop).Sub(now)-l.per)
	if wait > patience {
		return wait, false
	}
	m.at = full.Add(drop)
	return wait, true
}

// gate is a meter that many connections pass.
type gate struct {
	limit limit

	mu    sync.Mutex
	meter meter
}

func (g *gate) admit(now time.Time, patience time.Duration) (time.Duration, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.meter.admit(g.limit, now, patience)
}

// forever is the patience of what is never refused.
const forever = time.Duration(math.MaxInt64)
