package allocation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// Retry is DPS's retry policy for answers of 429 and more, in the tutorial's
// troubleshooting table: waits of First, First+Increment, First+2*Increment...
// The zero value is its 10 retries from 1 s in steps of 9 s, 415 s in all.
type Retry struct {
	Count     int           `json:"count"` // retries after the first call; less than 0 is none
	First     time.Duration `json:"first"`
	Increment time.Duration `json:"increment"`
}

func (r Retry) orDefault() Retry {
	if r == (Retry{}) {
		return Retry{Count: 10, First: time.Second, Increment: 9 * time.Second}
	}
	return r
}

// Verdict is what DPS makes of a webhook's answers.
type Verdict struct {
	// Hub is where the device goes, as linkedHubs spells it; empty if it was
	// refused.
	Hub         string
	InitialTwin *provisioning.InitialTwin // nil: the enrollment's own
	Payload     json.RawMessage           // for the device, byte for byte

	// Code and Message are what the device is told; 0 and empty with a Hub.
	Code    provisioning.Code
	Message string

	// Named is the hub that the webhook answered, linked or not.
	Named string

	Status   int // of the last call; 0 if it got no answer
	Attempts int // calls made
	// Reason says in our words why there is no hub. A device never sees it.
	Reason string
	// Unanswered is why the last call got no answer; nil if it got one.
	Unanswered error
	// Err is the context's, if that ended first: there is no verdict then.
	Err error
}

// Allocate asks the webhook at target until it has a verdict, as DPS does: an
// answer of 429 and more is asked again, and so is a call that got none, for as
// long as Retry says. Every call is recorded.
func (c *Client) Allocate(ctx context.Context, target string, req Request) Verdict {
	asked, webhook := req.Asked(), c.At(target)
	ctx = WithDevice(ctx, asked.RegistrationID)
	retry := c.Retry.orDefault()
	wait := retry.First
	for attempt := 1; ; attempt++ {
		answer := webhook.call(ctx, asked.Body)
		if answer.At.IsZero() {
			return Verdict{Attempts: attempt - 1, Err: ctx.Err()}
		}
		v := webhook.judge(answer, asked.LinkedHubs)
		if c.Record != nil {
			c.Record(exchangeOf(asked, answer, v, attempt))
		}
		if !again(answer) || attempt > retry.Count && ctx.Err() == nil {
			v.Status, v.Attempts = answer.Status, attempt
			return v
		}
		if err := pause(ctx, wait); err != nil {
			return Verdict{Status: answer.Status, Attempts: attempt, Err: err}
		}
		wait += retry.Increment
	}
}

// again reports whether DPS would ask once more. That it does after a
// connection error is seen, not documented (azure-docs issue 69789).
func again(a Answer) bool { return a.Err != nil || a.Status >= http.StatusTooManyRequests }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// succeeded follows "custom allocation", which wants a 2xx where the tutorial's
// table has 200.
func succeeded(a Answer) bool { return a.Err == nil && a.Status/100 == 2 }

// judge is the tutorial's troubleshooting table.
func (w *Webhook) judge(a Answer, linked []string) Verdict {
	set := w.client.Settings.orDefault()
	switch {
	case a.Err != nil:
		v := refuse(set.Unreachable, a, a.Err.Error())
		v.Unanswered = a.Err
		return v
	case a.Status >= http.StatusTooManyRequests:
		return refuse(set.AfterRetries, a, fmt.Sprintf("the webhook answered %d to the last call", a.Status))
	case a.Status == http.StatusUnauthorized:
		return refuse(provisioning.CustomAllocationUnauthorizedAccess, a, "the webhook answered 401: the function key is missing or wrong")
	case !succeeded(a):
		return refuse(provisioning.CustomAllocationFailed, a, fmt.Sprintf("the webhook answered %d", a.Status))
	case a.Truncated:
		return refuse(set.NotJSON, a, fmt.Sprintf("the webhook's answer is longer than %d bytes", len(a.Body)))
	}
	r := w.known.parse(a)
	if r.err != nil {
		return refuse(set.NotJSON, a, r.err.Error())
	}
	v := set.accept(a, r.Response, linked)
	if r.IoTHubHostName != nil {
		v.Named = *r.IoTHubHostName
	}
	return v
}

func (s Settings) accept(a Answer, r Response, linked []string) Verdict {
	if r.noHub {
		return refuse(s.MissingHub, a, "the webhook's answer has no iotHubHostName")
	}
	if r.IoTHubHostName == nil || *r.IoTHubHostName == "" {
		return refuse(provisioning.CustomAllocationIotHubNotSpecified, a, "the webhook's iotHubHostName is null or empty")
	}
	// Host names know no case (RFC 4343).
	at := slices.IndexFunc(linked, func(hub string) bool { return strings.EqualFold(hub, *r.IoTHubHostName) })
	if at < 0 {
		return refuse(s.HubNotLinked, a, fmt.Sprintf("the webhook's hub %.256q is not among linkedHubs", *r.IoTHubHostName))
	}
	if r.Payload != nil && !isObject(r.Payload) {
		switch s.OddPayload {
		case FailPayload:
			return refuse(s.NotJSON, a, "the webhook's payload is not an object")
		case DropPayload:
			r.Payload = nil
		}
	}
	return Verdict{Hub: linked[at], InitialTwin: r.InitialTwin, Payload: r.Payload}
}

func refuse(code provisioning.Code, a Answer, reason string) Verdict {
	return Verdict{Code: code, Message: message(code, a.Status), Reason: reason}
}
