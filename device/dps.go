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

const (
	// dpsKeepAlive is Node's. C's devices send none, and so never notice a
	// connection that died in a pause.
	dpsKeepAlive = 180 * time.Second
	// defaultPoll is the pause before a poll where DPS names none, as in most
	// SDKs.
	defaultPoll = 2 * time.Second
	// The first poll that DPS wants at once goes out at once, as Node's do. Those that
	// follow make pauses, each twice the last, up to what C waits at the least: a
	// device does not spin.
	leastEager, mostEager = time.Millisecond, time.Second
)

// dps is a device's dealings with DPS.
type dps struct {
	*life
	line
	operation string        // the id of the registration under way
	next      time.Duration // what DPS said to wait before the next poll
	heard     time.Time     // when it said so
	eager     time.Duration // the last pause before a poll that it wanted at once
}

// provision registers and polls until DPS has made up its mind: the boot goes
// on with an assignment, or it ends with the failure.
func (l *life) provision(ctx context.Context) (*Assignment, *Failure) {
	d := &dps{life: l}
	defer d.hangUp(ctx)
	for {
		verdict, err := d.attempt(ctx)
		if err == nil {
			d.hangUp(ctx)
			return d.judge(verdict)
		}
		failure, again := classify(err)
		if l.Certificate != nil && (failure.Cause == CauseUnauthorized || failure.Cause == CauseConnackRefused) {
			failure.Cause = CauseCertificate
		}
		if !answered(err) || d.conn.Acknowledge() != nil {
			d.drop()
		}
		if end, goesOn := l.pause(ctx, failure, again); !goesOn {
			return nil, end
		}
	}
}

// judge leaves Assigning with the verdict.
func (d *dps) judge(verdict Assignment) (*Assignment, *Failure) {
	if verdict.Status != provisioning.Assigned {
		failure := verdictFailure(verdict)
		d.tell(Event{To: Failed, Assignment: &verdict}, failure)
		return nil, failure
	}
	next := Joining
	if d.Until == UntilAssigned {
		next = Off
	}
	d.tell(Event{To: next, Assignment: &verdict}, nil)
	return &verdict, nil
}

// attempt goes from wherever the last one ended to a verdict.
func (d *dps) attempt(ctx context.Context) (Assignment, error) {
	if d.conn == nil {
		if err := d.open(ctx); err != nil {
			return Assignment{}, err
		}
	}
	if d.operation == "" {
		d.enter(Registering, nil)
		d.sent = d.Payload
		op, err := d.ask(provisioning.Request{}, d.body())
		if err != nil {
			return Assignment{}, err
		}
		if op.Status != provisioning.Assigning {
			return d.verdict(op), nil
		}
		d.operation = op.OperationID
	}
	d.enter(Assigning, nil)
	return d.poll(ctx)
}

// open dials, secures, connects and subscribes.
func (d *dps) open(ctx context.Context) error {
	d.enter(Dialing, nil)
	name := d.target.ServerName
	if name == "" {
		name, _, _ = net.SplitHostPort(d.target.Endpoint)
	}
	nc, err := d.dial(ctx, d.target.Endpoint, name)
	if err != nil {
		return err
	}
	d.enter(Registering, nil)
	user := provisioning.DPSUser{
		IDScope:        d.target.IDScope,
		RegistrationID: d.ID,
		APIVersion:     provisioning.DPSAPIVersion,
		ClientVersion:  "dpsfleet/" + d.target.Version,
	}
	d.conn, err = d.connect(ctx, nc, mqtt.Connect{
		ClientID:     d.ID,
		Username:     user.String(),
		Password:     d.password(user.Resource(), provisioning.DPSKeyName),
		CleanSession: true,
		KeepAlive:    dpsKeepAlive,
	})
	if err != nil {
		return fmt.Errorf("connecting to DPS: %w", err)
	}
	if _, err := d.conn.Subscribe(d.deadline(), 1, provisioning.AnswerFilter); err != nil {
		return fmt.Errorf("subscribing at DPS: %w", err)
	}
	d.refusals = 0
	return nil
}

// poll asks for the operation until it is over.
func (d *dps) poll(ctx context.Context) (Assignment, error) {
	for {
		if err := d.rest(ctx); err != nil {
			return Assignment{}, err
		}
		d.polls++
		op, err := d.ask(provisioning.Request{Poll: true, OperationID: d.operation}, nil)
		if err != nil {
			return Assignment{}, err
		}
		if op.Status != provisioning.Assigning {
			return d.verdict(op), nil
		}
	}
}

// rest waits as long as DPS said, counted from when it said so, and hears of a
// lost connection meanwhile.
func (d *dps) rest(ctx context.Context) error {
	until := d.heard.Add(d.next)
	for time.Now().Before(until) {
		_, err := d.conn.Receive(until)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("waiting for DPS: %w", err)
		}
	}
	return context.Cause(ctx)
}

// ask publishes a request and waits for its answer. The C SDK takes whatever
// comes first; this takes the answer with its own $rid, as the others do.
func (d *dps) ask(request provisioning.Request, body []byte) (provisioning.Operation, error) {
	request.RequestID = d.requestID()
	until := d.deadline()
	if err := d.conn.Publish(mqtt.Message{Topic: request.String(), Payload: body}, until); err != nil {
		return provisioning.Operation{}, fmt.Errorf("asking DPS: %w", err)
	}
	for {
		m, err := d.conn.Receive(until)
		if err != nil {
			return provisioning.Operation{}, fmt.Errorf("waiting for the answer of DPS: %w", err)
		}
		answer, err := provisioning.ParseAnswer(m.Topic)
		if err != nil || answer.RequestID != request.RequestID {
			continue
		}
		return d.read(answer, m.Payload)
	}
}

// read is what an answer says. A status of 300 and more is an error document.
func (d *dps) read(answer provisioning.Answer, body []byte) (provisioning.Operation, error) {
	if answer.Status >= 300 {
		return provisioning.Operation{}, provisioning.ParseError(answer, body)
	}
	op, err := provisioning.ParseOperation(body)
	if err != nil {
		return provisioning.Operation{}, parsingError{err}
	}
	d.progress()
	d.heard, d.next = time.Now(), defaultPoll
	if answer.RetryAfter != nil {
		d.next = *answer.RetryAfter
	}
	if d.next == 0 && d.stage == Assigning {
		d.eager = min(max(2*d.eager, leastEager), mostEager)
		d.next = d.eager
	}
	if d.target.Heard != nil {
		d.target.Heard(d.ID, op)
	}
	return op, nil
}

func (d *dps) verdict(op provisioning.Operation) Assignment {
	a := Assignment{OperationID: op.OperationID, Status: op.Status}
	if s := op.State; s != nil {
		a.Substatus, a.Hub, a.DeviceID = s.Substatus, s.AssignedHub, s.DeviceID
		a.Code, a.Message, a.LastUpdated, a.Payload = s.ErrorCode, s.ErrorMessage, s.LastUpdated, s.Payload
	}
	return a
}

func (d *dps) body() []byte {
	return provisioning.Registration{RegistrationID: d.ID, Payload: d.Payload}.JSON()
}

// answered reports whether DPS itself refused, over a connection that is well.
func answered(err error) bool {
	var refusal *provisioning.Error
	return errors.As(err, &refusal)
}
