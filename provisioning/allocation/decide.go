package allocation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"

	"dpsfleet/provisioning"
)

// Decision is what a policy answers.
type Decision struct {
	Status int    // 200, 400 or 500
	Hub    string // with 200
	// Body is JSON with 200, a sentence with 400 and empty with 500.
	Body []byte
	// RegistrationID is whom it was asked about, as far as that could be read.
	RegistrationID string
	// Found is what the tutorial's function logs on its way to a refusal.
	Found string
	// Fault says why the function broke, with 500.
	Fault string
}

// The sentences of the tutorial's function, and what it logs beside them.
const (
	sentenceNoID      = "Registration ID not provided for the device."
	sentenceNoHubs    = "No hub group defined for the enrollment."
	sentenceNoHub     = "No hub found for the enrollment." // for a rule that has none of its own
	sentenceOtherwise = "Unrecognized device registration."

	foundNoID      = "Registration ID : NULL"
	foundNoHubs    = "linkedHubs : NULL"
	foundOtherwise = "Unknown device registration"
)

// Decide answers a call as the tutorial's function does, branch by branch: the
// registration id is looked at before the hubs, and the hubs before the rules.
// What would throw an exception in C# is a 500.
func (p Policy) Decide(body []byte) Decision {
	data, err := topLevel(body)
	if err != nil {
		return broken("", err)
	}
	device, err := runtimeContext(data)
	if err != nil {
		return broken("", err)
	}
	id, err := scalar(device["registrationId"])
	if err != nil {
		return broken("", errors.New("registrationId is not text"))
	}
	if id == nil {
		return refused("", sentenceNoID, foundNoID)
	}
	hubs, err := linkedHubs(data)
	if err != nil {
		return broken(*id, err)
	}
	if hubs == nil {
		return refused(*id, sentenceNoHubs, foundNoHubs)
	}
	d := caller{id: *id, payload: device["payload"]}
	// What is no text there is no hub; the tutorial's function does not look at it.
	if hub, err := scalar(device["currentIotHubHostName"]); err == nil && hub != nil {
		d.hub = *hub
	}
	return p.apply(d, hubs)
}

func (p Policy) apply(d caller, hubs []*string) Decision {
	for _, rule := range p.Rules {
		if rule.matches(d) {
			return rule.apply(d, hubs)
		}
	}
	if p.Otherwise.Rule != nil {
		return p.Otherwise.Rule.apply(d, hubs)
	}
	return refused(d.id, cmp.Or(p.Otherwise.Sentence, sentenceOtherwise), foundOtherwise)
}

func (r Rule) apply(d caller, hubs []*string) Decision {
	// A null in the list breaks the tutorial's loop, and nothing before it.
	names := make([]string, 0, len(hubs))
	for _, hub := range hubs {
		if hub == nil {
			return broken(d.id, errors.New("linkedHubs holds a null"))
		}
		names = append(names, *hub)
	}
	hub, found := r.choose(d, names)
	if !found {
		sentence := cmp.Or(r.NoHub, sentenceNoHub)
		return refused(d.id, sentence, sentence)
	}
	return Decision{Status: http.StatusOK, Hub: hub, Body: r.response(hub).JSON(), RegistrationID: d.id}
}

func (r Rule) response(hub string) Response {
	answer := Response{IoTHubHostName: &hub, Payload: r.Payload}
	if r.Tags != nil || r.Desired != nil {
		answer.InitialTwin = &provisioning.InitialTwin{Tags: r.Tags}
		answer.InitialTwin.Properties.Desired = r.Desired
	}
	return answer
}

func refused(id, sentence, found string) Decision {
	return Decision{Status: http.StatusBadRequest, Body: []byte(sentence), RegistrationID: id, Found: found}
}

func broken(id string, err error) Decision {
	return Decision{Status: http.StatusInternalServerError, RegistrationID: id, Fault: err.Error()}
}

// members is a JSON object. Names keep their case, as in Newtonsoft's JObject;
// of a name that stands twice the last counts, there as here.
type members map[string]json.RawMessage

// topLevel reads the body. Newtonsoft makes null of an empty one, and the
// function's ?. turns that into a missing registration id. Its tolerance for
// comments, single quotes and the like is not imitated: DPS sends none.
func topLevel(body []byte) (members, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) == 0 {
		return nil, nil
	}
	var data members
	if json.Unmarshal(body, &data) == nil {
		return data, nil
	}
	if json.Valid(body) {
		return nil, errors.New("the body is not a JSON object")
	}
	return nil, errors.New("the body is not JSON")
}

// runtimeContext is the device's part. A null there is a JValue, not a null
// reference, so ?. does not help the function over it.
func runtimeContext(data members) (members, error) {
	text, ok := data["deviceRuntimeContext"]
	if !ok {
		return nil, nil
	}
	var device members
	if json.Unmarshal(text, &device) != nil || device == nil {
		return nil, errors.New("deviceRuntimeContext is not an object")
	}
	return device, nil
}

// linkedHubs are nil for null as for nothing.
func linkedHubs(data members) ([]*string, error) {
	var raw []json.RawMessage
	if text, ok := data["linkedHubs"]; ok && json.Unmarshal(text, &raw) != nil {
		return nil, errors.New("linkedHubs is not a list")
	}
	if raw == nil {
		return nil, nil
	}
	hubs := make([]*string, 0, len(raw))
	for _, text := range raw {
		hub, err := scalar(text)
		if err != nil {
			return nil, errors.New("linkedHubs holds something else than text")
		}
		hubs = append(hubs, hub)
	}
	return hubs, nil
}

// scalar converts to a string as C# does it: numbers and booleans are taken at
// their text.
func scalar(text json.RawMessage) (*string, error) {
	if len(text) == 0 {
		return nil, nil
	}
	switch text[0] {
	case '{', '[':
		return nil, errors.New("not a scalar")
	case '"', 'n':
		var s *string
		err := json.Unmarshal(text, &s)
		return s, err
	}
	s := string(text)
	return &s, nil
}
