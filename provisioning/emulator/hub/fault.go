package hub

import (
	"errors"
	"time"

	"dpsfleet/provisioning"
)

// ErrSilent is a fault that leaves a request without an answer.
var ErrSilent = errors.New("never answered on purpose: a fault")

// failTwin does to a GET of the twin what Options.TwinFault says.
func (s *session) failTwin(request provisioning.HubRequest, came time.Time, fault error) error {
	x := provisioning.Exchange{
		Kind: provisioning.ExchangeTwin, RegistrationID: s.device.RegistrationID,
		At: came, Took: time.Since(came), Err: fault.Error(), Hub: s.hub.name,
	}
	var refused *Error
	answers := errors.As(fault, &refused)
	if answers {
		x.Status = refused.Status
	}
	s.hub.opt.Record(x)
	switch {
	case answers:
		return s.answer(provisioning.TwinAnswer{Status: refused.Status, RequestID: request.RequestID}, refused.body())
	case errors.Is(fault, ErrSilent):
		return nil
	}
	return fault
}

// body is the refusal as a device hears it.
func (e *Error) body() []byte {
	var o provisioning.Object
	o.Int("errorCode", int64(e.Code))
	o.Text("message", e.Name+": "+e.Reason)
	return o.Bytes()
}
