package device

import (
	"context"
	"errors"
	"time"
)

// parting is how a device's dealings with its hub end.
type parting uint8

const (
	left        parting = iota // for good: the boot is over
	unwanted                   // the hub does not want the device, which asks DPS
	unreachable                // for so long that the device asks DPS
)

// errUnreachable is why a device gives its hub up.
var errUnreachable = errors.New("the hub could not be reached for too long")

// run goes from Off to the end: to the hub that the device knows, or to DPS for
// one, and back to DPS when the hub does not want it (DPS, best practices for
// large-scale deployments, "IoT Hub connectivity considerations"). It returns what
// the device knows in the end.
func (l *life) run(ctx context.Context) *Assignment {
	known, ask := l.Cached, l.Cached == nil || l.Until == UntilAssigned
	if !ask {
		l.recall(known)
	}
	for {
		if ask {
			var assignment *Assignment
			var failure *Failure
			aside(func() { assignment, failure = l.provision(ctx) })
			if failure != nil {
				l.end(failure)
				return known
			}
			known = assignment
		}
		if l.Until == UntilAssigned {
			l.enter(Off, nil)
			return known
		}
		switch l.atHub(ctx, known, ask) {
		case left:
			return known
		case unwanted:
			known = nil
		}
		ask = true
		l.progress()
	}
}

// recall begins with a hub that the device knows.
func (l *life) recall(known *Assignment) {
	l.tell(Event{To: Joining, Assignment: &Assignment{Hub: known.Hub, DeviceID: known.DeviceID}}, nil)
}

// end is the end of a life that did not get further. One that was where it was to
// go, and is stopped, leaves.
func (l *life) end(failure *Failure) {
	if l.reached && failure.Outcome == OutcomeInterrupted {
		l.enter(Off, nil)
		return
	}
	l.enter(Failed, failure)
}

// doubt says whether an error of a hub that the device knows from earlier sends it
// back to DPS. A hub that DPS has just named is as good as the next answer would
// be.
func (h *hub) doubt(err error) parting {
	switch {
	case !h.known:
		return left
	case rejected(err):
		return unwanted
	case time.Since(h.lost) >= h.limits.Reprovision:
		return unreachable
	}
	return left
}

// reask goes to DPS for another hub. After the boot, that has a boot's time of its
// own.
func (h *hub) reask(why parting, failure *Failure) parting {
	if why == unreachable {
		failure.Err = errors.Join(errUnreachable, failure.Err)
	}
	if h.reached {
		h.clock.Reset(h.limits.Boot)
	}
	h.enter(Dialing, failure)
	return why
}
