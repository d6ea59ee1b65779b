package device

import (
	"context"
	"errors"
	"time"
)

// parting is how a device's dealings with its hub end.
type parting uint8

const (
	online      parting = iota // not at all: the device is there
	left                       // for good: the boot is over
	unwanted                   // the hub does not want the device, which asks DPS
	unreachable                // for so long that the device asks DPS
)

// errUnreachable is why a device gives its hub up.
var errUnreachable = errors.New("the hub could not be reached for too long")

// home is where a device belongs, as far as it knows. It is all that a held device
// keeps of a verdict.
type home struct{ hub, deviceID string }

// assignment is nil for a device that does not know.
func (h *home) assignment() *Assignment {
	if h == nil {
		return nil
	}
	return &Assignment{Hub: h.hub, DeviceID: h.deviceID}
}

// run goes from Off to the end: to the hub that the device knows, or to DPS for
// one, and back to DPS when the hub does not want it (DPS, best practices for
// large-scale deployments, "IoT Hub connectivity considerations"). It returns what
// the device knows in the end.
//
// A device that is to be held comes online on a stack that is given back: what it
// takes while it is idle is most of all its stack, and a TLS handshake or a
// template needs several times as much of that as waiting does.
func (l *life) run(ctx context.Context) *Assignment {
	if l.Cached != nil {
		l.known = &home{l.Cached.Hub, l.Cached.DeviceID}
	}
	l.ask = l.known == nil || l.Until == UntilAssigned
	if l.Until == UntilAssigned {
		l.comeOnline(ctx, nil)
		return l.known.assignment()
	}
	var h *hub
	for {
		done := make(chan *hub)
		go func() { done <- l.comeOnline(ctx, h) }()
		if h = <-done; h == nil {
			return l.known.assignment()
		}
		h.stay(ctx)
	}
}

// comeOnline goes to the hub where the device has been, or to the one that it is
// sent to, until it is online there; nil when the device has left for good.
//
// All that it does, it does in a boot's time: the boot itself, and later each way
// back to DPS. To come back to the same hub there is no such limit.
func (l *life) comeOnline(ctx context.Context, h *hub) *hub {
	if !l.reached {
		l.timeUp = time.Now().Add(l.limits.Boot)
	}
	if h == nil && !l.ask {
		l.recall()
	}
	for {
		if h == nil {
			h = l.findHub(ctx)
		}
		if h == nil {
			return nil
		}
		switch h.comeOnline(ctx) {
		case online:
			l.timeUp = time.Time{}
			h.conn.EndBy(l.timeUp, nil)
			return h
		case left:
			return nil
		case unwanted:
			l.known = nil
		}
		h, l.ask = nil, true
		l.progress()
		if l.reached {
			l.timeUp = time.Now().Add(l.limits.Boot)
		}
	}
}

// findHub is the hub where the device belongs, as it knows or DPS says; nil when
// there is none to go to, which was told.
func (l *life) findHub(ctx context.Context) *hub {
	fresh := l.ask
	if l.ask {
		assignment, failure := l.provision(ctx)
		if failure != nil {
			l.end(failure)
			return nil
		}
		l.known = &home{assignment.Hub, assignment.DeviceID}
	}
	if l.Until == UntilAssigned {
		l.enter(Off, nil)
		return nil
	}
	return l.hubOf(l.known, fresh)
}

// recall begins with a hub that the device knows.
func (l *life) recall() {
	l.tell(Event{To: Joining, Assignment: l.known.assignment()}, nil)
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

// reask goes to DPS for another hub.
func (h *hub) reask(why parting, failure *Failure) parting {
	if why == unreachable {
		failure.Err = errors.Join(errUnreachable, failure.Err)
	}
	h.enter(Dialing, failure)
	return why
}
