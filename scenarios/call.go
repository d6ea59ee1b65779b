package scenarios

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// calls are the boots of a run against a webhook alone: each is one call, with
// DPS's request, and what DPS would have made of the answer.
type calls struct {
	client    allocation.Client
	webhook   *allocation.Webhook
	transport *http.Transport
	ask       func(fleet.Arrival) (allocation.Asked, error)
}

// prepareCalls makes the client that all calls share.
func (r *run) prepareCalls() error {
	roots, err := r.Target.pool()
	if err != nil {
		return err
	}
	r.target.TLS = r.tls(roots)
	r.target.TLS.InsecureSkipVerify = r.Target.Insecure
	c := &calls{transport: r.callTransport()}
	c.client = allocation.Client{
		Transport: r.faults.transport(c.transport),
		Timeout:   durationOf(r.Target.HTTP.Timeout),
		UserAgent: fmt.Sprintf("dpsfleet/%s (run %s %d)", cmp.Or(r.env.Version, "0"), r.Name, r.Seed),
		Header:    make(http.Header),
	}
	for name, value := range r.Target.HTTP.Headers {
		c.client.Header.Set(name, value)
	}
	c.webhook = c.client.At(r.Target.Webhook)
	if c.ask = r.env.Requests; c.ask == nil {
		c.ask, err = r.requests(time.Now())
	}
	r.calls = c
	return err
}

// callTransport is the network to the webhook. It asks for no compression, so
// that the limit of an answer is one of what is read, and knows no proxy.
func (r *run) callTransport() *http.Transport {
	settings := r.Target.HTTP
	versions := new(http.Protocols)
	versions.SetHTTP1(!settings.HTTP2)
	versions.SetHTTP2(settings.HTTP2)
	versions.SetUnencryptedHTTP2(settings.HTTP2)
	return &http.Transport{
		DialContext:            r.callDial(),
		TLSClientConfig:        r.target.TLS,
		TLSHandshakeTimeout:    cmp.Or(durationOf(r.Limits.TLS), 10*time.Second),
		Protocols:              versions,
		DisableCompression:     true,
		DisableKeepAlives:      settings.KeepAlive != nil && !*settings.KeepAlive,
		MaxConnsPerHost:        settings.Connections,
		MaxIdleConnsPerHost:    r.peak(),
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// callOne is the boot of one device: the call of the webhook for it. Its time in
// Assigning is the call's own, and the time since it was due counts what it came
// too late beside.
func (r *run) callOne(ctx context.Context, a fleet.Arrival, due time.Time) {
	asked, err := r.calls.ask(a)
	if err != nil {
		r.drop(a, due, &device.Failure{Outcome: device.OutcomeFailed, Err: err}, device.Failed)
		return
	}
	begun := time.Now()
	e := device.Event{
		Device: asked.RegistrationID, Fleet: r.Fleets[a.Fleet].Name, Model: r.kinds[a.Fleet].Name, Boot: 1,
		To: device.Assigning, At: begun, In: begun.Sub(due),
	}
	r.record(e)
	verdict, exchange := r.calls.webhook.Ask(ctx, asked)
	if verdict.Err == nil {
		r.rec.exchange(exchange)
	}
	e.At = time.Now()
	e.In = e.At.Sub(begun)
	e.From = device.Assigning
	r.record(called(ctx, e, verdict))
}

// called is the end of a boot as its verdict has it.
func called(ctx context.Context, e device.Event, v allocation.Verdict) device.Event {
	if failure := callFailure(ctx, v); failure != nil {
		e.To, e.Err = device.Failed, failure
		if v.Status != 0 {
			e.Assignment = &device.Assignment{Status: provisioning.Failed, Code: v.Code, Message: v.Message}
		}
		return e
	}
	e.To = device.Off
	e.Assignment = &device.Assignment{Status: provisioning.Assigned, Hub: v.Hub, DeviceID: e.Device, Payload: v.Payload}
	if v.InitialTwin != nil {
		e.Desired = v.InitialTwin.Properties.Desired
	}
	return e
}

// callFailure is why a call gave the device no hub; nil if it gave one. The code
// is what DPS would tell the device.
func callFailure(ctx context.Context, v allocation.Verdict) *device.Failure {
	switch {
	case v.Hub != "":
		return nil
	case v.Err != nil, v.Unanswered != nil && ctx.Err() != nil:
		return &device.Failure{Outcome: device.OutcomeInterrupted, Err: errors.New("the run was stopped")}
	case v.Unanswered != nil:
		return unanswered(v.Unanswered)
	}
	failure := &device.Failure{
		Outcome: device.OutcomeFailed,
		Code:    v.Code,
		Result:  provisioning.ResultOf(provisioning.Failed, v.Code),
		Err:     errors.New(v.Reason),
	}
	if v.Status == http.StatusUnauthorized {
		failure.Cause = device.CauseFunctionKey
	}
	return failure
}

// unanswered is the failure of a call that no whole answer came to.
func unanswered(err error) *device.Failure {
	if errors.Is(err, context.DeadlineExceeded) {
		return &device.Failure{Outcome: device.OutcomeTimeout, Err: fmt.Errorf("%w: no answer in time", err)}
	}
	failure := &device.Failure{Outcome: device.OutcomeUnreachable, Cause: device.CauseOf(err), Err: err}
	if failure.Cause == device.CauseDialRefused {
		failure.Cause = device.CauseWebhookAway
	}
	return failure
}
