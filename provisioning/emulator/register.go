package emulator

import (
	"cmp"
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
	First         string // the hub of the first assignment
	// Group is the enrollment group that let it in; empty for an individual
	// enrollment.
	Group string

	polls meter
}

// operation is the latest registration of a device. A later one takes its place,
// and its id is unknown from then on.
type operation struct {
	ID      string
	Ready   time.Time // when a poll may hear the verdict, at the earliest
	Decided bool
	// Verdict is nil until there is one. Nobody changes what it points to, so the
	// table, exchanges and answers share it.
	Verdict *provisioning.RegistrationState

	cancel context.CancelFunc // ends the call of the webhook; nil without one
}

// state is what a device may know now. It is not to be changed.
func (op operation) state(registrationID string) *provisioning.RegistrationState {
	if !op.Decided || time.Now().Before(op.Ready) {
		return &provisioning.RegistrationState{RegistrationID: registrationID, Status: provisioning.Assigning}
	}
	return op.Verdict
}

// applicant is a device that asks DPS, on whatever transport it came: a CONNECT
// of MQTT or a request over HTTPS proved who it is.
type applicant struct {
	cloud *Cloud
	who   identity
}

// answer is one that is on its way. Topic holds the status and the retry-after;
// only MQTT writes it as a topic.
type answer struct {
	due   time.Time
	topic provisioning.Answer
	body  []byte
	lost  loss // by a fault; empty for an answer that goes out

	// What the record says beside.
	kind        provisioning.ExchangeKind
	operationID string
	came        time.Time // what it answers
	problem     string
	state       *provisioning.RegistrationState
}

// register accepts a registration or refuses it, and says what is answered and
// when.
func (d *applicant) register(request provisioning.Request, body []byte, came time.Time) *answer {
	c := d.cloud
	fault := c.fault(FaultAtRegistration, d.who.registrationID)
	a := d.faulty(fault, request)
	if a == nil {
		a = d.decide(request, body)
	}
	a.came, a.kind = came, cmp.Or(a.kind, provisioning.ExchangeRegister)
	a.due = came.Add(fault.Wait + c.draw(c.cfg.Answers.Register, d.who.registrationID, "register "+a.operationID))
	return a
}

// decide refuses a registration or begins it. The quota comes last, so that what
// is refused anyway uses up none of it.
func (d *applicant) decide(request provisioning.Request, body []byte) *answer {
	device, err := provisioning.ParseRegistration(body)
	if refused := d.objection(device, err); refused != nil {
		return d.refusal(request, refused)
	}
	record, known := d.cloud.enrollment(&d.who)
	if !known {
		return d.refusal(request, problem(404, provisioning.EnrollmentNotFound, "Enrollment not found."))
	}
	if refused := d.cloud.throttled(); refused != nil {
		return d.refusal(request, refused)
	}
	t := &task{who: &d.who, record: record, payload: device.Payload}
	d.cloud.begin(t)
	return d.accept(request, t.operationID)
}

// gone is why an answer was not written.
const gone = "the connection ended before the answer"

// note records an exchange as its answer leaves, or why it does not.
func (c *Cloud) note(registrationID string, a *answer, failed string) {
	c.cfg.Record(provisioning.Exchange{
		Kind: a.kind, RegistrationID: registrationID, OperationID: a.operationID,
		At: a.came, Took: time.Since(a.came),
		Status: a.topic.Status, Err: cmp.Or(failed, a.problem), State: a.state,
	})
}

// objection is why a registration is refused, nil if it is not. The credentials
// come before the body: who has none learns nothing of what would be wrong with
// it. A body may be empty or leave the id out, as C#'s SDK does; the user name
// has it.
func (d *applicant) objection(device provisioning.Registration, malformed error) *provisioning.Error {
	id := d.who.registrationID
	switch {
	case provisioning.CheckRegistrationID(id) != nil:
		return problem(400, provisioning.BadRequest, "Invalid RegistrationId")
	case refuseTPM(device) != nil:
		return refuseTPM(device)
	case d.who.doubt != nil:
		return d.unauthorized()
	case malformed != nil:
		return problem(400, provisioning.BadRequest, "BadRequest")
	case device.RegistrationID != "" && !strings.EqualFold(device.RegistrationID, id):
		return problem(400, provisioning.BadRequest, "BadRequest")
	}
	return nil
}

// unauthorized is the answer to bad credentials that the live service was seen
// to send over MQTT (azure-docs issue 43157); that to a certificate is in the
// tests of the C SDK.
func (d *applicant) unauthorized() *provisioning.Error {
	if d.who.certificate != nil {
		return problem(401, provisioning.UnauthorizedAccess, "Invalid certificate.")
	}
	return problem(401, d.cloud.cfg.Undocumented.UnauthorizedCode, "Unauthorized")
}

func problem(status int, code provisioning.Code, message string) *provisioning.Error {
	return &provisioning.Error{Status: status, Code: code, Message: message}
}

// refusal is an answer with an error document. Its tracking id is made of the
// exchange alone, so that a run can be repeated to the letter.
func (d *applicant) refusal(request provisioning.Request, e *provisioning.Error) *answer {
	d.cloud.totals.refused.Add(1)
	if e.Code != provisioning.Throttled { // it was seen without
		e.TrackingID = guid(d.cloud.draws(d.who.registrationID, hash(request.String())))
	}
	e.Time = provisioning.Timestamp{Time: time.Now()}
	return &answer{
		topic:   provisioning.Answer{Status: e.Status, RequestID: request.RequestID, RetryAfter: e.RetryAfter},
		body:    e.JSON(),
		problem: e.Code.String(),
	}
}

// accept is the 202 to a registration. It holds the operation id and nothing of
// the registration's state, as the live service's does.
func (d *applicant) accept(request provisioning.Request, operationID string) *answer {
	if d.cloud.cfg.Undocumented.DisabledAtRegister {
		r, _ := d.cloud.registrations.Get(provisioning.SameID(d.who.registrationID))
		if state := r.Operation.state(d.who.registrationID); state.Status == provisioning.Disabled {
			return d.told(request, provisioning.Operation{OperationID: operationID, Status: state.Status, State: state})
		}
	}
	return d.pending(request, provisioning.Operation{OperationID: operationID, Status: provisioning.Assigning})
}

// open puts a new operation in the place of the device's earlier one, whose
// allocation is given up: nobody will ask for that one. The task learns from it
// its id and where the device is.
func (c *Cloud) open(t *task, cancel context.CancelFunc) {
	now, key := time.Now(), t.key()
	var giveUp context.CancelFunc
	c.totals.registrations.Add(1)
	c.registrations.Update(key, func(r registration, known bool) (registration, bool) {
		if !known {
			r.ID, r.Created = t.who.registrationID, now
		}
		r.Count++
		r.Group = t.who.groupID()
		giveUp = r.Operation.cancel
		draws := c.draws(key, r.Count)
		ready := now.Add(c.cfg.Answers.Allocate.at(draws.Float64()))
		r.Operation = operation{ID: operationID(key, draws), Ready: ready, cancel: cancel}
		t.operationID, t.hub, t.deviceID = r.Operation.ID, r.Hub, r.DeviceID
		return r, true
	})
	if giveUp != nil {
		giveUp()
	}
}
