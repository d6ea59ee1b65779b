package hub

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// Limits of direct methods ("Understand and invoke direct methods from IoT Hub",
// IoT Hub quotas).
const (
	maxMethod       = 128 << 10 // each way
	shortestMethod  = 5 * time.Second
	longestMethod   = 300 * time.Second
	defaultMethod   = 30 * time.Second
	maxCalls        = 64 // of one device at once; ours
	maxMethodName   = 128
	noResponseValue = "null"
)

// MethodCall is a direct method as a back end calls it.
type MethodCall struct {
	Name    string
	Payload json.RawMessage // null if nil
	Timeout time.Duration   // for the device's answer, from 5 to 300 s; 30 s if 0
	// ConnectTimeout is how long a device that is not there is waited for, up to
	// 300 s.
	ConnectTimeout time.Duration
}

// MethodAnswer is what a device answered.
type MethodAnswer struct {
	Status  int
	Payload json.RawMessage
}

// isMethodName reports whether name can go into a topic as it is. Components of
// a model and their commands are joined with a *.
func isMethodName(name string) bool {
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_.:*~!@,;=-", r))
	}
	return name != "" && len(name) <= maxMethodName && !strings.ContainsFunc(name, strange)
}

func (c MethodCall) check() error {
	switch {
	case !isMethodName(c.Name):
		return invalid("the method's name is not one of 1 to 128 letters, digits and some punctuation")
	case len(c.Payload) > maxMethod:
		return tooLarge("the method's payload", len(c.Payload), maxMethod)
	case !json.Valid(c.Payload):
		return invalid("the method's payload is not JSON")
	case c.Timeout < shortestMethod || c.Timeout > longestMethod:
		return invalid(fmt.Sprintf("the response time-out %s is not from %s to %s", c.Timeout, shortestMethod, longestMethod))
	case c.ConnectTimeout < 0 || c.ConnectTimeout > longestMethod:
		return invalid(fmt.Sprintf("the connect time-out %s is not from 0 to %s", c.ConnectTimeout, longestMethod))
	}
	return nil
}

// CallMethod calls a direct method of a device and waits for its answer.
func (h *Hub) CallMethod(ctx context.Context, deviceID string, call MethodCall) (MethodAnswer, error) {
	e, known := h.devices.Get(deviceID)
	if !known {
		return MethodAnswer{}, notFound(deviceID)
	}
	call.Timeout = cmp.Or(call.Timeout, defaultMethod)
	if len(call.Payload) == 0 {
		call.Payload = json.RawMessage(noResponseValue)
	}
	if err := call.check(); err != nil {
		return MethodAnswer{}, err
	}
	came := time.Now()
	answer, err := h.call(ctx, deviceID, call)
	x := provisioning.Exchange{
		Kind: provisioning.ExchangeMethod, RegistrationID: e.device.RegistrationID,
		At: came, Took: time.Since(came), Hub: h.name, Method: call.Name,
		Status: answer.Status, Asked: call.Payload, Answered: answer.Payload,
	}
	if err != nil {
		x.Err = err.Error()
	}
	h.opt.Observe(x)
	return answer, err
}

func (h *Hub) call(ctx context.Context, deviceID string, call MethodCall) (MethodAnswer, error) {
	box := h.box(deviceID)
	taker, err := box.await(ctx, call.ConnectTimeout)
	if err != nil {
		return MethodAnswer{}, err
	}
	rid, answers, err := box.begin()
	if err != nil {
		return MethodAnswer{}, err
	}
	defer box.forget(rid)
	// At QoS 0, whatever was subscribed, as the service sends them.
	topic := provisioning.MethodTopic(call.Name, strconv.FormatUint(rid, 10))
	if err := taker.conn.Send(mqtt.Message{Topic: topic, Payload: call.Payload}); err != nil {
		return MethodAnswer{}, notOnline()
	}
	timer := time.NewTimer(call.Timeout)
	defer timer.Stop()
	select {
	case answer := <-answers:
		return answer, nil
	case <-timer.C:
		return MethodAnswer{}, unanswered()
	case <-ctx.Done():
		return MethodAnswer{}, context.Cause(ctx)
	}
}

// await is the connection that takes the device's methods, now or within patience.
func (b *mailbox) await(ctx context.Context, patience time.Duration) (*session, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		taker, arrival := b.methodTaker()
		if taker != nil {
			return taker, nil
		}
		if patience == 0 {
			return nil, notOnline()
		}
		select {
		case <-arrival:
		case <-timer.C:
			return nil, notOnline()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (b *mailbox) methodTaker() (*session, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taker == nil && b.arrived == nil {
		b.arrived = make(chan struct{})
	}
	return b.taker, b.arrived
}

// begin gives a call its $rid, which counts from 1 as in a trace of the service.
func (b *mailbox) begin() (uint64, <-chan MethodAnswer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.calls) >= maxCalls {
		return 0, nil, &Error{429, 429001, "ThrottlingException", fmt.Sprintf("%d direct methods of the device are unanswered", maxCalls)}
	}
	b.lastRID++
	answers := make(chan MethodAnswer, 1)
	b.calls[b.lastRID] = answers
	return b.lastRID, answers, nil
}

func (b *mailbox) forget(rid uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.calls, rid)
}

// answered hands an answer to its call. One that comes too late, or a second one,
// has none any more.
func (b *mailbox) answered(rid string, a MethodAnswer) {
	number, err := strconv.ParseUint(rid, 10, 64)
	if err != nil {
		return
	}
	b.mu.Lock()
	call, waiting := b.calls[number]
	delete(b.calls, number)
	b.mu.Unlock()
	if waiting {
		call <- a
	}
}

// methodAnswer takes a device's answer. What is not JSON is answered as null:
// what the service makes of it is documented nowhere.
func (s *session) methodAnswer(request provisioning.HubRequest, body []byte) error {
	if len(body) > maxMethod {
		return tooLarge("the answer of a direct method", len(body), maxMethod)
	}
	payload := json.RawMessage(bytes.TrimSpace(body))
	if !json.Valid(payload) {
		payload = json.RawMessage(noResponseValue)
	}
	if s.box != nil {
		s.box.answered(request.RequestID, MethodAnswer{Status: request.Status, Payload: payload})
	}
	return nil
}
