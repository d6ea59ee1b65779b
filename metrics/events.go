package metrics

import (
	"errors"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// Events are the events that the boot was folded from; folding them again gives
// the same boot. What no line of the log holds, such as the codes of refusals
// after which it tried again, they have not.
func (b Boot) Events() []device.Event {
	at := b.Due
	stages := b.Stages
	if len(stages) == 0 {
		stages = []StageTime{{Stage: device.Off}}
	}
	events := make([]device.Event, len(stages))
	for i, s := range stages {
		at = at.Add(s.Took.Duration())
		e := &events[i]
		e.Device, e.Fleet, e.Model, e.Boot = b.ID, b.Fleet, b.Model, b.Boot
		e.From, e.At, e.In, e.Resumed = s.Stage, at, s.Took.Duration(), s.Resumed
		if i+1 < len(stages) {
			e.To = stages[i+1].Stage
		}
		if s.Why != "" {
			e.Err = &device.Failure{Err: errors.New(s.Why)}
		}
	}
	if b.Cached != "" && events[0].From == device.Off {
		events[0].Assignment = &device.Assignment{Hub: b.Cached, DeviceID: b.DeviceID}
	}
	b.addSent(events)
	b.addVerdict(events)
	b.end(&events[len(events)-1])
	return events
}

// addSent puts what the device sent on the first event that left Registering.
func (b Boot) addSent(events []device.Event) {
	for i := range events {
		if events[i].From == device.Registering {
			events[i].Sent = b.Sent
			return
		}
	}
}

// addVerdict puts what DPS said on the last event that left Assigning.
func (b Boot) addVerdict(events []device.Event) {
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].From != device.Assigning {
			continue
		}
		events[i].Polls = b.Polls
		events[i].Assignment = b.assignment()
		return
	}
}

func (b Boot) assignment() *device.Assignment {
	if b.Verdict == "" {
		return nil
	}
	a := &device.Assignment{
		OperationID: b.OperationID,
		Status:      b.Verdict,
		Substatus:   b.Substatus,
		Hub:         b.Hub,
		DeviceID:    b.DeviceID,
		Payload:     b.Payload,
	}
	if b.Verdict == provisioning.Failed {
		a.Code = b.Code
	}
	return a
}

// end makes e the boot's last event.
func (b Boot) end(e *device.Event) {
	e.Desired = b.Desired
	switch b.Outcome {
	case device.OutcomeAssigned:
		e.To = device.Online
		if e.From == device.Assigning {
			e.To = device.Off
		}
		return
	case device.OutcomeDropped:
		e.To = device.Dropped
	default:
		e.To = device.Failed
	}
	e.Err = &device.Failure{Outcome: b.Outcome, Code: b.Code, Result: b.Result, Cause: b.Cause, Err: errors.New(b.Error)}
}

// Exchanges are the exchanges with the cloud that the boot holds: the calls of
// the webhook, and the verdict for the tags that it told. They come before the
// last of Events.
func (b Boot) Exchanges() []provisioning.Exchange {
	exchanges := make([]provisioning.Exchange, 0, len(b.Allocations)+1)
	for _, a := range b.Allocations {
		exchanges = append(exchanges, provisioning.Exchange{
			Kind:           provisioning.ExchangeAllocate,
			RegistrationID: b.ID,
			OperationID:    b.OperationID,
			At:             b.Due.Add(a.At.Duration()),
			Took:           a.Took.Duration(),
			Attempt:        a.Attempt,
			Status:         a.Status,
			Hub:            a.Hub,
			Err:            a.Err,
			Asked:          []byte(a.Request),
			Answered:       []byte(a.Response),
		})
	}
	if len(b.Tags) == 0 {
		return exchanges
	}
	return append(exchanges, provisioning.Exchange{
		Kind:           provisioning.ExchangeVerdict,
		RegistrationID: b.ID,
		OperationID:    b.OperationID,
		At:             b.Due.Add(time.Duration(b.Took())),
		Tags:           b.Tags,
	})
}
