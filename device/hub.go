package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

const hubKeepAlive = 240 * time.Second // the C SDK's

// hub is a device's dealings with the hub that it was assigned to.
type hub struct {
	*life
	line
	at      *home
	renewAt time.Time // of the token; zero with a certificate
	// known says that the device was there before, or in an earlier boot, and
	// lost since when it is not.
	known bool
	lost  time.Time
	// How the last stay ended, or the attempt at one: with an error, or because
	// the device leaves; with neither, to renew the token.
	err    error
	leaves bool
	next   time.Time // of telemetry
}

// hubOf is the hub where a device belongs, nil if it is not to be dialled. Fresh is one
// that DPS has just made.
func (l *life) hubOf(at *home, fresh bool) *hub {
	if l.target.Declared != nil && !l.target.Declared(at.hub) {
		l.enter(Failed, &Failure{
			Outcome: OutcomeHubNotDeclared,
			Result:  provisioning.ResultOK,
			Err:     fmt.Errorf("the hub %q is not declared, so it was not dialled", at.hub),
		})
		return nil
	}
	return &hub{life: l, at: at, known: !fresh, lost: time.Now()}
}

// comeOnline joins the hub and reads the twin, and after a stay there does what that
// ended for.
func (h *hub) comeOnline(ctx context.Context) parting {
	for {
		switch {
		case h.err != nil:
			if why := h.tryAgain(ctx); why != online {
				return why
			}
		case h.leaves:
			h.hangUp(ctx)
			h.enter(Off, nil)
			return left
		default: // for the first time, or to renew the token
			h.hangUp(ctx)
		}
		if h.err = h.arrive(ctx); h.err == nil && h.Until == UntilOnline {
			h.arrived()
			return online
		}
		h.leaves = h.err == nil
	}
}

// tryAgain pauses after an error; it returns online where the device is to try again.
func (h *hub) tryAgain(ctx context.Context) parting {
	h.drop()
	failure, again := classify(h.err)
	if why := h.doubt(h.err); why != left && h.ended(ctx) == nil {
		return h.reask(why, failure)
	}
	again.refused = again.refused && !h.known
	if end, goesOn := h.pause(ctx, failure, again); !goesOn {
		h.end(end)
		return left
	}
	if h.over() {
		h.enter(Off, nil)
		return left
	}
	return online
}

// arrived begins a stay.
func (h *hub) arrived() {
	if h.Stay > 0 && !h.reached {
		h.leave = time.Now().Add(h.Stay)
	}
	h.reached, h.known = true, true
}

// over reports whether the time has come to leave.
func (l *life) over() bool { return !l.leave.IsZero() && !time.Now().Before(l.leave) }

// arrive goes from Joining to Online, which is the end of the boot.
func (h *hub) arrive(ctx context.Context) error {
	if err := h.join(ctx); err != nil {
		return err
	}
	desired, err := h.readTwin()
	if err != nil {
		return err
	}
	h.tell(Event{To: Online, Desired: desired}, nil)
	h.progress()
	return nil
}

// join dials the hub and connects to it with a new token.
func (h *hub) join(ctx context.Context) error {
	h.enter(Joining, nil)
	address := h.target.Gateway
	if address == "" {
		address = net.JoinHostPort(h.at.hub, h.target.hubPort())
	}
	nc, err := h.dial(ctx, address, h.at.hub)
	if err != nil {
		return err
	}
	if h.Certificate == nil {
		h.renewAt = time.Now().Add(h.limits.Token * 9 / 10)
	}
	user := provisioning.HubUser{Host: h.at.hub, DeviceID: h.at.deviceID, APIVersion: provisioning.HubAPIVersion}
	h.conn, err = h.connect(ctx, nc, mqtt.Connect{
		ClientID:  h.at.deviceID,
		Username:  user.String(),
		Password:  h.password(user.Resource(), ""),
		KeepAlive: hubKeepAlive,
	})
	if err != nil {
		return fmt.Errorf("connecting to the hub: %w", err)
	}
	return nil
}

// stay is the device's life online. Nothing but waiting is done from here, so that
// the stack stays small.
func (h *hub) stay(ctx context.Context) {
	h.leaves, h.next = false, time.Time{}
	if h.Telemetry > 0 {
		h.next = time.Now()
	}
	for stays := true; stays; {
		m, err := h.conn.Receive(earliest(h.leave, h.renewAt, h.next))
		stays = h.live(ctx, m, err)
	}
	h.lost = time.Now()
}

// live does what a message or the time asks for, and reports whether the stay goes
// on.
func (h *hub) live(ctx context.Context, m mqtt.Message, err error) bool {
	now := time.Now()
	switch {
	case ctx.Err() != nil:
		h.leaves = true
		return false
	case err == nil && provisioning.IsDesired(m.Topic):
		if h.twin.patch(m.Payload) == nil {
			err = h.report()
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = nil
	}
	if err != nil {
		h.err = fmt.Errorf("online at the hub: %w", err)
		return false
	}
	if h.over() {
		h.leaves = true
		return false
	}
	if !h.renewAt.IsZero() && !now.Before(h.renewAt) {
		return false
	}
	if !h.next.IsZero() && !now.Before(h.next) {
		h.next = h.next.Add(h.Telemetry)
		h.err = h.sendTelemetry()
	}
	return h.err == nil
}

func (h *hub) sendTelemetry() error {
	body, err := h.kind.telemetry.render(h.scope)
	if err != nil {
		return parsingError{fmt.Errorf("telemetry for this twin: %w", err)}
	}
	if body == nil {
		return nil
	}
	topic := provisioning.TelemetryTopic(h.at.deviceID, "application/json")
	if err := h.conn.Publish(mqtt.Message{Topic: topic, Payload: body, QoS: 1}, h.deadline()); err != nil {
		return fmt.Errorf("sending telemetry: %w", err)
	}
	return nil
}

// earliest is the first of the times that are set, or none.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
