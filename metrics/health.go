package metrics

import (
	"fmt"
	"time"
)

// Health says whether the generator kept up, so that the figures speak of the
// target and not of it.
type Health struct {
	LatenessP99  Millis `json:"latenessP99"`
	Dropped      int    `json:"dropped"`
	Blocked      Millis `json:"blocked"` // senders waiting for the recorder
	PeakInFlight int    `json:"peakInFlight"`
	// Limits are sentences that each say how the generator was the bottleneck;
	// none is a valid run.
	Limits []string `json:"limits,omitempty"`
}

// Valid reports whether the generator kept up.
func (h Health) Valid() bool { return len(h.Limits) == 0 }

// health holds the generator to three limits: it dropped nothing, it started
// devices on time (99 % of them within a second, or within 5 % of what a boot
// takes), and recording held up the devices for less than 1 % of the run.
func health(all *fleetFold, dropped int, took Millis, end End) Health {
	h := Health{
		LatenessP99:  micro(all.dists[metricLateness].quantile(99)),
		Dropped:      dropped,
		Blocked:      end.Blocked,
		PeakInFlight: end.PeakInFlight,
	}
	if dropped > 0 {
		h.limit("%d dropped: a fleet was at its limit of boots in flight", dropped)
	}
	late := max(Millis(time.Second), micro(all.total.quantile(50))/20)
	if h.LatenessP99 > late {
		h.limit("devices started late: lateness p99 is %v, over %v", h.LatenessP99, late)
	}
	if h.Blocked > took/100 && took > 0 {
		h.limit("the recorder blocked devices for %v, over 1 %% of the run", h.Blocked)
	}
	return h
}

func (h *Health) limit(format string, args ...any) {
	h.Limits = append(h.Limits, fmt.Sprintf(format, args...))
}

func micro(us int64) Millis { return Millis(us * int64(time.Microsecond)) }
