package emulator

import (
	"time"

	"dpsfleet/provisioning"
)

// poll answers with the state of the device's latest operation. Somebody else's
// operation is an unknown one. The body is not looked at: C's SDK repeats the
// registration there, others send a blank or nothing.
func (d applicant) poll(request provisioning.Request, came time.Time) answer {
	d.cloud.totals.polls.Add(1)
	exchange := provisioning.Exchange{
		Kind: provisioning.ExchangePoll, RegistrationID: d.who.registrationID,
		OperationID: request.OperationID, At: came,
	}
	fault := d.cloud.fault(FaultAtPoll, d.who.registrationID)
	a, faulty := d.faulty(fault, request, exchange)
	if !faulty {
		a = d.tell(request, exchange)
	}
	if fault.Wait > 0 {
		a.due = came.Add(fault.Wait)
	}
	return a
}

// tell is the answer to a poll where nothing goes wrong on purpose.
func (d applicant) tell(request provisioning.Request, exchange provisioning.Exchange) answer {
	c := d.cloud
	if d.who.doubt != nil {
		return d.refusal(request, exchange, d.unauthorized())
	}
	r, known := c.registrations.Get(provisioning.SameID(d.who.registrationID))
	if !known || r.Operation.ID != request.OperationID {
		return d.refusal(request, exchange, problem(404, c.cfg.Undocumented.UnknownOperationCode, "Operation not found."))
	}
	if refused := c.throttledPoll(provisioning.SameID(d.who.registrationID)); refused != nil {
		return d.refusal(request, exchange, refused)
	}
	state := r.Operation.state(d.who.registrationID)
	op := provisioning.Operation{OperationID: r.Operation.ID, Status: state.Status, State: &state}
	if state.Status == provisioning.Assigning {
		return d.pending(request, exchange, op)
	}
	exchange.Kind = provisioning.ExchangeTold
	return d.told(request, exchange, op)
}

// pending asks the device to come again.
func (d applicant) pending(request provisioning.Request, exchange provisioning.Exchange, op provisioning.Operation) answer {
	wait := d.cloud.draw(d.cloud.cfg.Answers.RetryAfter, d.who.registrationID, request.String())
	exchange.Status, exchange.State = 202, op.State
	return answer{
		topic:    provisioning.Answer{Status: 202, RequestID: request.RequestID, RetryAfter: &wait},
		body:     op.JSON(),
		exchange: exchange,
	}
}

// told is the final answer: 200 for a failure too, because the operation did end
// (DPS over MQTT).
func (d applicant) told(request provisioning.Request, exchange provisioning.Exchange, op provisioning.Operation) answer {
	exchange.Status, exchange.State = 200, op.State
	return answer{
		topic:    provisioning.Answer{Status: 200, RequestID: request.RequestID},
		body:     op.JSON(),
		exchange: exchange,
	}
}
