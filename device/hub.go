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
	user    provisioning.HubUser
	renewAt time.Time // of the token; zero with a certificate
	// known says that the device was there before, or in an earlier boot, and
	// lost since when it is not.
	known bool
	lost  time.Time
}

// atHub joins the hub, reads the twin, and stays or leaves, unless it is sent back
// to DPS. Fresh is an assignment that DPS has just made.
func (l *life) atHub(ctx context.Context, a *Assignment, fresh bool) parting {
	if l.target.Declared != nil && !l.target.Declared(a.Hub) {
		l.enter(Failed, &Failure{
			Outcome: OutcomeHubNotDeclared,
			Result:  provisioning.ResultOK,
			Err:     fmt.Errorf("the hub %q is not declared, so it was not dialled", a.Hub),
		})
		return left
	}
	user := provisioning.HubUser{Host: a.Hub, DeviceID: a.DeviceID, APIVersion: provisioning.HubAPIVersion}
	h := &hub{life: l, user: user, known: !fresh, lost: time.Now()}
	defer h.hangUp(ctx)
	for {
		err := h.attempt(ctx)
		if err == nil {
			h.hangUp(ctx)
			l.enter(Off, nil)
			return left
		}
		h.drop()
		failure, again := classify(err)
		if why := h.doubt(err); why != left && ctx.Err() == nil {
			return h.reask(why, failure)
		}
		again.refused = again.refused && !h.known
		if end, goesOn := l.pause(ctx, failure, again); !goesOn {
			l.end(end)
			return left
		}
		if l.over() {
			l.enter(Off, nil)
			return left
		}
	}
}

// over reports whether the time has come to leave.
func (l *life) over() bool { return !l.leave.IsZero() && !time.Now().Before(l.leave) }

// attempt goes from Joining to where the device leaves of its own accord.
func (h *hub) attempt(ctx context.Context) error {
	for {
		var err error
		if aside(func() { err = h.arrive(ctx) }); err != nil {
			return err
		}
		if h.Until != UntilOnline {
			return nil
		}
		if h.Stay > 0 && !h.reached {
			h.leave = time.Now().Add(h.Stay)
		}
		h.reached, h.known = true, true
		renew, err := h.stay(ctx)
		h.lost = time.Now()
		if err != nil || !renew {
			return err
		}
		h.hangUp(ctx)
	}
}

// arrive goes from Joining to Online, which is the end of the boot.
func (h *hub) arrive(ctx context.Context) error {
	if err := h.join(ctx); err != nil {
		return err
	}
	if err := h.readTwin(); err != nil {
		return err
	}
	h.tell(Event{To: Online, Desired: h.twin.raw}, nil)
	h.progress()
	h.clock.Stop()
	return nil
}

// join dials the hub and connects to it with a new token.
func (h *hub) join(ctx context.Context) error {
	h.enter(Joining, nil)
	address := h.target.Gateway
	if address == "" {
		address = net.JoinHostPort(h.user.Host, h.target.hubPort())
	}
	nc, err := h.dial(ctx, address, h.user.Host)
	if err != nil {
		return err
	}
	if h.Certificate == nil {
		h.renewAt = time.Now().Add(h.limits.Token * 9 / 10)
	}
	h.conn, err = h.connect(ctx, nc, mqtt.Connect{
		ClientID:  h.user.DeviceID,
		Username:  h.user.String(),
		Password:  h.password(h.user.Resource(), ""),
		KeepAlive: hubKeepAlive,
	})
	if err != nil {
		return fmt.Errorf("connecting to the hub: %w", err)
	}
	return nil
}

// stay is the device's life online. It returns true when the token is to be
// renewed and false when the device leaves.
func (h *hub) stay(ctx context.Context) (renew bool, err error) {
	var next time.Time // of telemetry
	if h.Telemetry > 0 {
		next = time.Now()
	}
	for {
		m, err := h.conn.Receive(earliest(h.leave, h.renewAt, next))
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return false, nil
		case err == nil && provisioning.IsDesired(m.Topic):
			if h.twin.patch(m.Payload) == nil {
				err = h.report()
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = nil
		}
		if err != nil {
			return false, fmt.Errorf("online at the hub: %w", err)
		}
		if !h.leave.IsZero() && !now.Before(h.leave) {
			return false, nil
		}
		if !h.renewAt.IsZero() && !now.Before(h.renewAt) {
			return true, nil
		}
		if !next.IsZero() && !now.Before(next) {
			next = next.Add(h.Telemetry)
			if err := h.sendTelemetry(); err != nil {
				return false, err
			}
		}
	}
}

func (h *hub) sendTelemetry() error {
	body, err := h.kind.telemetry.render(h.scope)
	if err != nil {
		return parsingError{fmt.Errorf("telemetry for this twin: %w", err)}
	}
	if body == nil {
		return nil
	}
	topic := provisioning.TelemetryTopic(h.user.DeviceID, "application/json")
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
