package allocation

import (
	"bytes"
	"context"
	"sync"

	"dpsfleet/provisioning"
)

// Asked is a request as it goes out: for whom, which hubs may be answered, and
// the body, byte for byte.
type Asked struct {
	RegistrationID string
	LinkedHubs     []string
	Body           []byte
}

// Asked is the request as it goes out.
func (r Request) Asked() Asked {
	asked := Asked{LinkedHubs: r.LinkedHubs, Body: r.JSON()}
	if id := r.DeviceRuntimeContext.RegistrationID; id != nil {
		asked.RegistrationID = *id
	}
	return asked
}

// Template makes the requests of many devices of one record: what they share is
// written once.
type Template struct {
	head, tail []byte
	hubs       []string
}

// Template is that of the request's record and linked hubs.
func (r Request) Template() Template {
	var head, tail provisioning.Object
	addRecord(&head, "individualEnrollment", r.IndividualEnrollment)
	addRecord(&head, "enrollmentGroup", r.EnrollmentGroup)
	tail.Raw("linkedHubs", mustMarshal(append([]string{}, r.LinkedHubs...)))
	open := bytes.TrimSuffix(head.Bytes(), []byte("}"))
	if len(open) > 1 {
		open = append(open, ',')
	}
	return Template{
		head: append(open, `"deviceRuntimeContext":`...),
		tail: append([]byte(","), bytes.TrimPrefix(tail.Bytes(), []byte("{"))...),
		hubs: r.LinkedHubs,
	}
}

// Asked is the request of one device, as Request.Asked has it.
func (t Template) Asked(c RuntimeContext) Asked {
	asked := Asked{LinkedHubs: t.hubs}
	if c.RegistrationID != nil {
		asked.RegistrationID = *c.RegistrationID
	}
	device := c.json()
	body := make([]byte, 0, len(t.head)+len(device)+len(t.tail))
	asked.Body = append(append(append(body, t.head...), device...), t.tail...)
	return asked
}

// Ask calls the webhook once and holds the answer against the table that DPS
// holds it against, without DPS's retries: what a test of the webhook itself is
// made of. The exchange has the tags that the answer gives the device.
func (w *Webhook) Ask(ctx context.Context, asked Asked) (Verdict, provisioning.Exchange) {
	answer := w.call(WithDevice(ctx, asked.RegistrationID), asked.Body)
	if answer.At.IsZero() {
		return Verdict{Err: answer.Err}, provisioning.Exchange{}
	}
	v := w.judge(answer, asked.LinkedHubs)
	v.Status, v.Attempts = answer.Status, 1
	x := exchangeOf(asked, answer, v, 1)
	if v.Hub != "" && v.InitialTwin != nil {
		x.Tags = v.InitialTwin.Tags
	}
	return v, x
}

func exchangeOf(asked Asked, a Answer, v Verdict, attempt int) provisioning.Exchange {
	x := provisioning.Exchange{
		Kind:           provisioning.ExchangeAllocate,
		RegistrationID: asked.RegistrationID,
		At:             a.At,
		Took:           a.Took,
		Status:         a.Status,
		Asked:          asked.Body,
		Answered:       a.Body,
		Attempt:        attempt,
		Hub:            v.Named,
	}
	if a.Err != nil {
		x.Err = a.Err.Error()
	}
	return x
}

// answers are what a webhook's answers were found to say. Most devices are given
// one of a few, so one that comes again to the byte is not read again.
type answers struct {
	mu   sync.RWMutex
	seen map[string]parsed
}

type parsed struct {
	Response
	err error
}

const (
	maxAnswers    = 256
	maxAnswerKept = 4 << 10
)

func (k *answers) parse(a Answer) parsed {
	k.mu.RLock()
	p, ok := k.seen[string(a.Body)]
	k.mu.RUnlock()
	if ok {
		return p
	}
	p.Response, p.err = ParseResponse(a.Body)
	if len(a.Body) > maxAnswerKept {
		return p
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = make(map[string]parsed)
	}
	if len(k.seen) < maxAnswers {
		k.seen[string(a.Body)] = p
	}
	return p
}
