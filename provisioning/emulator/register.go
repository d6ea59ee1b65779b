package emulator

import (
	"context"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// registration is what DPS keeps of a device.
type registration struct {
	ID      string // as in the first user name
	Created time.Time
	Count   uint64 // registrations so far
	// The assignment, empty before the first. A registration that fails later
	// leaves it as it is: the device stays at its hub.
	Hub, DeviceID string
	Operation     operation
}

// operation is the latest registration of a device. A later one takes its place,
// and its id is unknown from then on.
type operation struct {
	ID      string
	Ready   time.Time // when a poll may hear the verdict, at the earliest
	Decided bool
	Verdict provisioning.RegistrationState

	cancel context.CancelFunc // ends the allocation
}

// state is what a device may know now.
func (op operation) state(registrationID string) provisioning.RegistrationState {
	if !op.Decided || time.Now().Before(op.Ready) {
		return provisioning.RegistrationState{RegistrationID: registrationID, Status: provisioning.Assigning}
	}
	return op.Verdict
}

// register accepts a registration or refuses it, and says what is answered and
// when.
func (s *session) register(request provisioning.Request, body []byte, came time.Time) answer {
	c := s.cloud
	exchange := provisioning.Exchange{Kind: provisioning.ExchangeRegister, RegistrationID: s.who.registrationID, At: came}
	a := answer{exchange: exchange}
	device, err := provisioning.ParseRegistration(body)
	if refused := s.objection(device, err); refused != nil {
		a = s.refusal(request, exchange, refused)
	}
	record, known := c.enrollment(s.who)
	if a.body == nil && !known {
		a = s.refusal(request, exchange, problem(404, provisioning.EnrollmentNotFound, "Enrollment not found."))
	}
	if a.body == nil {
		a = s.accept(request, exchange, c.begin(s.who, record, device))
	}
	a.due = came.Add(c.draw(c.cfg.Answers.Register, s.who.registrationID, "register "+a.exchange.OperationID))
	return a
}

// objection is why a registration is refused, nil if it is not. The credentials
// come before the body: who has none learns nothing of what would be wrong with
// it. A body may be empty or leave the id out, as C#'s SDK does; the user name
// has it.
func (s *session) objection(device provisioning.Registration, malformed error) *provisioning.Error {
	id := s.who.registrationID
	switch {
	case provisioning.CheckRegistrationID(id) != nil:
		return problem(400, provisioning.BadRequest, "Invalid RegistrationId")
	case s.who.doubt != nil:
		return s.unauthorized()
	case malformed != nil:
		return problem(400, provisioning.BadRequest, "BadRequest")
	case device.RegistrationID != "" && !strings.EqualFold(device.RegistrationID, id):
		return problem(400, provisioning.BadRequest, "BadRequest")
	}
	return nil
}

// unauthorized is the answer to bad credentials that the live service was seen
// to send over MQTT (azure-docs issue 43157).
func (s *session) unauthorized() *provisioning.Error {
	return problem(401, s.cloud.cfg.Undocumented.UnauthorizedCode, "Unauthorized")
}

func problem(status int, code provisioning.Code, message string) *provisioning.Error {
	return &provisioning.Error{Status: status, Code: code, Message: message}
}

// refusal is an answer with an error document. Its tracking id is made of the
// exchange alone, so that a run can be repeated to the letter.
func (s *session) refusal(request provisioning.Request, exchange provisioning.Exchange, e *provisioning.Error) answer {
	s.cloud.totals.refused.Add(1)
	exchange.Status, exchange.Err = e.Status, e.Code.String()
	e.TrackingID = guid(s.cloud.draws(s.who.registrationID, hash(request.String())))
	e.Time = provisioning.Timestamp{Time: time.Now()}
	return answer{
		topic:    provisioning.Answer{Status: e.Status, RequestID: request.RequestID},
		body:     e.JSON(),
		exchange: exchange,
	}
}

// accept is the 202 to a registration. It holds the operation id and nothing of
// the registration's state, as the live service's does.
func (s *session) accept(request provisioning.Request, exchange provisioning.Exchange, op operation) answer {
	c := s.cloud
	exchange.OperationID = op.ID
	state := op.state(s.who.registrationID)
	if c.cfg.Undocumented.DisabledAtRegister && state.Status == provisioning.Disabled {
		exchange.Kind = provisioning.ExchangeTold
		return s.told(request, exchange, provisioning.Operation{OperationID: op.ID, Status: state.Status, State: &state})
	}
	return s.pending(request, exchange, provisioning.Operation{OperationID: op.ID, Status: provisioning.Assigning})
}

// poll answers with the state of the device's latest operation. Somebody else's
// operation is an unknown one. The body is not looked at: C's SDK repeats the
// registration there, others send a blank or nothing.
func (s *session) poll(request provisioning.Request, came time.Time) answer {
	c := s.cloud
	c.totals.polls.Add(1)
	exchange := provisioning.Exchange{
		Kind: provisioning.ExchangePoll, RegistrationID: s.who.registrationID,
		OperationID: request.OperationID, At: came,
	}
	if s.who.doubt != nil {
		return s.refusal(request, exchange, s.unauthorized())
	}
	r, known := c.registrations.Get(provisioning.SameID(s.who.registrationID))
	if !known || r.Operation.ID != request.OperationID {
		return s.refusal(request, exchange, problem(404, c.cfg.Undocumented.UnknownOperationCode, "Operation not found."))
	}
	state := r.Operation.state(s.who.registrationID)
	op := provisioning.Operation{OperationID: r.Operation.ID, Status: state.Status, State: &state}
	if state.Status == provisioning.Assigning {
		return s.pending(request, exchange, op)
	}
	exchange.Kind = provisioning.ExchangeTold
	return s.told(request, exchange, op)
}

// pending asks the device to come again.
func (s *session) pending(request provisioning.Request, exchange provisioning.Exchange, op provisioning.Operation) answer {
	wait := s.cloud.draw(s.cloud.cfg.Answers.RetryAfter, s.who.registrationID, request.String())
	exchange.Status, exchange.State = 202, op.State
	return answer{
		topic:    provisioning.Answer{Status: 202, RequestID: request.RequestID, RetryAfter: &wait},
		body:     op.JSON(),
		exchange: exchange,
	}
}

// told is the final answer: 200 for a failure too, because the operation did end
// (DPS over MQTT).
func (s *session) told(request provisioning.Request, exchange provisioning.Exchange, op provisioning.Operation) answer {
	exchange.Status, exchange.State = 200, op.State
	return answer{
		topic:    provisioning.Answer{Status: 200, RequestID: request.RequestID},
		body:     op.JSON(),
		exchange: exchange,
	}
}

// begin starts an operation and its allocation. The device's earlier allocation
// is given up: nobody will ask for that one.
func (c *Cloud) begin(who identity, record provisioning.Enrollment, device provisioning.Registration) operation {
	now, key := time.Now(), provisioning.SameID(who.registrationID)
	ctx, cancel := context.WithCancel(c.ctx)
	var giveUp context.CancelFunc
	c.totals.registrations.Add(1)
	r := c.registrations.Update(key, func(r registration, known bool) (registration, bool) {
		if !known {
			r.ID, r.Created = who.registrationID, now
		}
		r.Count++
		giveUp = r.Operation.cancel
		draws := c.draws(key, r.Count)
		r.Operation = operation{
			Ready:  now.Add(c.cfg.Answers.Allocate.at(draws.Float64())),
			ID:     operationID(key, draws),
			cancel: cancel,
		}
		return r, true
	})
	if giveUp != nil {
		giveUp()
	}
	c.allocate(ctx, cancel, task{
		who: who, record: record, payload: device.Payload,
		operationID: r.Operation.ID, hub: r.Hub, deviceID: r.DeviceID,
	})
	if c.cfg.Undocumented.DisabledAtRegister {
		r, _ = c.registrations.Get(key)
	}
	return r.Operation
}
