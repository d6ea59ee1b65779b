package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"time"

	"dpsfleet/provisioning"
)

// Exchanges are the last exchanges with a device, the oldest first: 16 at most,
// and of all devices 10,000 (Config.Observe). An empty id is every device.
func (c *Cloud) Exchanges(registrationID string) []Observation {
	return masked(c.observer.find(question{registrationID: registrationID}))
}

// Await returns the latest exchange of a kind with a device. It waits for the
// first one until ctx ends.
func (c *Cloud) Await(ctx context.Context, registrationID string, kind provisioning.ExchangeKind) (Observation, error) {
	found, err := c.await(ctx, question{registrationID: registrationID, kind: kind})
	if err != nil {
		return Observation{}, err
	}
	return found[len(found)-1], nil
}

// await returns what is asked for as soon as there is any.
func (c *Cloud) await(ctx context.Context, q question) ([]Observation, error) {
	for {
		news, leave := c.observer.watch(q.registrationID)
		found := c.observer.find(q)
		if len(found) > 0 {
			leave()
			return masked(found), nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			leave()
			return nil, context.Cause(ctx)
		case <-c.ctx.Done():
			leave()
			return nil, context.Cause(c.ctx)
		}
	}
}

// cut shortens the bodies of an observation to limit bytes each. It copies, so
// that the whole is not kept by a part.
func (o *Observation) cut(limit int) {
	shorten := func(body []byte) []byte {
		if len(body) <= limit {
			return body
		}
		o.Cut = true
		return bytes.Clone(body[:limit])
	}
	o.Asked, o.Answered, o.Tags = shorten(o.Asked), shorten(o.Answered), shorten(o.Tags)
	if len(o.Properties) > limit {
		o.Properties = string([]byte(o.Properties[:limit]))
		o.Cut = true
	}
	if o.State != nil && len(o.State.Payload) > limit {
		state := *o.State
		state.Payload = shorten(state.Payload)
		o.State = &state
	}
}

// secrets finds what stands for a credential: the signature and the key of tokens
// and connection strings, the code of a webhook, a key of an enrollment. To the
// end of a text that was cut, if need be. Devices may put into a payload what they
// like.
func secrets() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(\bsig=|\bcode=|\bSharedAccessKey=|"(?:primaryKey|secondaryKey|sharedAccessKey|password)"\s*:\s*")[^"&;\s]*`)
}

// masked masks credentials. That is done for those who ask, not for each device.
func masked(found []Observation) []Observation {
	secret := secrets()
	mask := func(body []byte) []byte { return secret.ReplaceAll(body, []byte("${1}****")) }
	for i := range found {
		o := &found[i]
		o.Asked, o.Answered, o.Tags = mask(o.Asked), mask(o.Answered), mask(o.Tags)
		o.Err, o.Properties = string(mask([]byte(o.Err))), string(mask([]byte(o.Properties)))
		if o.State != nil && len(o.State.Payload) > 0 {
			state := *o.State
			state.Payload = mask(state.Payload)
			o.State = &state
		}
	}
	return found
}

// JSON is the observation as the HTTP face shows it. A body that is not JSON, or
// no longer after it was cut, is a string.
func (o Observation) JSON() []byte {
	var x provisioning.Object
	x.Int("number", int64(o.Number))
	x.Text("kind", string(o.Kind))
	x.Text("registrationId", o.RegistrationID)
	x.TextIf("operationId", o.OperationID)
	x.Text("at", provisioning.Timestamp{Time: o.At}.String())
	x.Int("tookMicroseconds", o.Took.Round(time.Microsecond).Microseconds())
	x.Int("status", int64(o.Status))
	x.TextIf("error", o.Err)
	x.TextIf("hub", o.Hub)
	x.TextIf("method", o.Method)
	if o.Attempt > 0 {
		x.Int("attempt", int64(o.Attempt))
	}
	x.Raw("properties", propertiesJSON(o.Properties))
	x.Raw("state", stateJSON(o.State))
	x.Raw("tags", bodyJSON(o.Tags))
	x.Raw("asked", bodyJSON(o.Asked))
	x.Raw("answered", bodyJSON(o.Answered))
	if o.Cut {
		x.Raw("cut", []byte("true"))
	}
	return x.Bytes()
}

func bodyJSON(body []byte) []byte {
	if len(body) == 0 || json.Valid(body) {
		return body
	}
	text, _ := provisioning.Marshal(string(body))
	return text
}

func propertiesJSON(encoded string) []byte {
	if encoded == "" {
		return nil
	}
	var x provisioning.Object
	for _, p := range provisioning.ParseProperties(encoded) {
		if p.Null {
			x.Raw(p.Name, []byte("null"))
			continue
		}
		x.Text(p.Name, p.Value)
	}
	return x.Bytes()
}

func stateJSON(state *provisioning.RegistrationState) []byte {
	if state == nil {
		return nil
	}
	shown := *state
	shown.Payload = bodyJSON(shown.Payload)
	return shown.JSON()
}
