package emulator

import (
	"cmp"
	"time"

	"dpsfleet/provisioning"
)

// poll answers with the state of the device's latest operation. Somebody else's
// operation is an unknown one. The body is not looked at: C's SDK repeats the
// registration there, others send a blank or nothing.
func (d *applicant) poll(request provisioning.Request, came time.Time) *answer {
	d.cloud.totals.polls.Add(1)
	fault := d.cloud.fault(FaultAtPoll, d.who.registrationID)
	a := d.faulty(fault, request)
	if a == nil {
		a = d.tell(request)
	}
	a.came, a.kind, a.operationID = came, cmp.Or(a.kind, provisioning.ExchangePoll), request.OperationID
	if fault.Wait > 0 {
		a.due = came.Add(fault.Wait)
	}
	return a
}

// tell is the answer to a poll where nothing goes wrong on purpose.
func (d *applicant) tell(request provisioning.Request) *answer {
	c, key := d.cloud, provisioning.SameID(d.who.registrationID)
	if d.who.doubt != nil {
		return d.refusal(request, d.unauthorized())
	}
	r, known := c.registrations.Get(key)
	if !known || r.Operation.ID != request.OperationID {
		return d.refusal(request, problem(404, c.cfg.Undocumented.UnknownOperationCode, "Operation not found."))
	}
	if refused := c.throttledPoll(key); refused != nil {
		return d.refusal(request, refused)
	}
	state := r.Operation.state(d.who.registrationID)
	op := provisioning.Operation{OperationID: r.Operation.ID, Status: state.Status, State: state}
	if state.Status == provisioning.Assigning {
		return d.pending(request, op)
	}
	return d.told(request, op)
}

// pending asks the device to come again.
func (d *applicant) pending(request provisioning.Request, op provisioning.Operation) *answer {
	wait := d.cloud.draw(d.cloud.cfg.Answers.RetryAfter, d.who.registrationID, request.String())
	return &answer{
		topic:       provisioning.Answer{Status: 202, RequestID: request.RequestID, RetryAfter: &wait},
		body:        op.JSON(),
		operationID: op.OperationID,
		state:       op.State,
	}
}

// told is the final answer: 200 for a failure too, because the operation did end
// (DPS over MQTT).
func (d *applicant) told(request provisioning.Request, op provisioning.Operation) *answer {
	return &answer{
		topic:       provisioning.Answer{Status: 200, RequestID: request.RequestID},
		body:        op.JSON(),
		kind:        provisioning.ExchangeTold,
		operationID: op.OperationID,
		state:       op.State,
	}
}
