package metrics

import (
	"fmt"
	"time"

	"dpsfleet/device"
)

// Health says whether the generator kept up, so that the figures speak of the
// target and not of it.
type Health struct {
	LatenessP99  Millis `json:"latenessP99"`
	Dropped      int    `json:"dropped"`
	Blocked      Millis `json:"blocked"` // senders waiting for the recorder
	PeakInFlight int    `json:"peakInFlight"`
	// Limits are sentences that each say how the generator was the bottleneck, and
	// from when on; none is a valid run.
	Limits []string `json:"limits,omitempty"`
}

// Valid reports whether the generator kept up.
func (h Health) Valid() bool { return len(h.Limits) == 0 }

// leastLate is what counts as late at the least.
const leastLate = time.Second

// health holds the generator to four limits: it dropped nothing, it started
// devices on time (99 % of them within a second, or within 5 % of what a boot
// takes), recording held up the devices for less than 1 % of the run or a tenth of a
// second, and it ran all the time.
func health(all *fleetFold, started time.Time, took Millis, end End) Health {
	h := Health{
		LatenessP99:  micro(all.dists[metricLateness].quantile(99)),
		Dropped:      all.outcomes[device.OutcomeDropped],
		Blocked:      end.Blocked,
		PeakInFlight: end.PeakInFlight,
	}
	since := func(at time.Time) Millis { return millis(at.Sub(started)) }
	if h.Dropped > 0 {
		h.limit("%d dropped: a fleet was at its limit of boots in flight, %s", h.Dropped, from(since(all.firstDropped)))
	}
	late := max(Millis(leastLate), micro(all.total.quantile(50))/20)
	if h.LatenessP99 > late {
		h.limit("devices started late: lateness p99 is %v, over %v, %s", h.LatenessP99, late, from(since(all.firstLate)))
	}
	if tooLong(time.Duration(h.Blocked), time.Duration(took)) {
		h.limit("the recorder blocked devices for %v, over 1 %% of the run, %s", h.Blocked, from(end.BlockedFrom))
	}
	for _, stall := range end.Machine.Stalls {
		h.limit("nothing ran for %v, %s: this machine slept or stood still, or its clock was set", stall.Took, from(stall.At))
	}
	return h
}

// leastBlocked is what counts as blocked at the least.
const leastBlocked = 100 * time.Millisecond

// tooLong judges for how long the recorder held up the devices in a run so far.
func tooLong(blocked, took time.Duration) bool { return blocked > max(took/100, leastBlocked) }

// from is since when something was, counted from the run's start.
func from(at Millis) string {
	if at < Millis(time.Millisecond) {
		return "from the start on"
	}
	return fmt.Sprintf("from %v on", at)
}

func (h *Health) limit(format string, args ...any) {
	h.Limits = append(h.Limits, fmt.Sprintf(format, args...))
}

func micro(us int64) Millis { return Millis(us * int64(time.Microsecond)) }
