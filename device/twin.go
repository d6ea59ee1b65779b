package device

import (
	"encoding/json"
	"fmt"
	"slices"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// readTwin reads the twin, returns its desired properties and reports on them. The
// subscription comes first, or the answer would be lost (hub over MQTT, "Retrieving
// a device twin's properties").
func (h *hub) readTwin() (desired json.RawMessage, err error) {
	h.enter(Twinning, nil)
	_, err = h.conn.Subscribe(h.deadline(), 0, provisioning.TwinAnswerFilter, provisioning.DesiredFilter)
	if err != nil {
		return nil, fmt.Errorf("subscribing at the hub: %w", err)
	}
	body, err := h.ask(provisioning.TwinGetTopic, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the twin: %w", err)
	}
	var twin struct {
		Desired json.RawMessage `json:"desired"`
	}
	if err := json.Unmarshal(body, &twin); err != nil {
		return nil, parsingError{fmt.Errorf("reading the twin: %w", err)}
	}
	h.twin = nil
	if err := h.twin.patch(twin.Desired); err != nil {
		return nil, parsingError{fmt.Errorf("reading the twin: %w", err)}
	}
	return twin.Desired, h.report()
}

// report patches the reported properties as the model does.
func (h *hub) report() error {
	h.scope.desired = h.twin.get
	reported, err := h.kind.reported.render(h.scope)
	if err != nil {
		return parsingError{fmt.Errorf("reported properties for this twin: %w", err)}
	}
	if reported == nil {
		return nil
	}
	if _, err := h.ask(provisioning.ReportedTopic, reported); err != nil {
		return fmt.Errorf("reporting properties: %w", err)
	}
	return nil
}

// ask publishes a twin request and waits for its answer; a change of the
// desired properties that comes meanwhile is taken in.
func (h *hub) ask(topic func(requestID string) string, body []byte) ([]byte, error) {
	rid := h.requestID()
	until := h.deadline()
	if err := h.conn.Publish(mqtt.Message{Topic: topic(rid), Payload: body}, until); err != nil {
		return nil, err
	}
	for {
		m, err := h.conn.Receive(until)
		if err != nil {
			return nil, err
		}
		if provisioning.IsDesired(m.Topic) {
			h.twin.patch(m.Payload) // what is no object changes nothing
			continue
		}
		answer, err := provisioning.ParseTwinAnswer(m.Topic)
		if err != nil || answer.RequestID != rid {
			continue
		}
		if answer.Status >= 300 {
			return nil, hubError{answer.Status}
		}
		return m.Payload, nil
	}
}

// hubError is a hub's refusal of a twin request.
type hubError struct{ status int }

func (e hubError) Error() string { return fmt.Sprintf("the hub answered %d", e.status) }

// desiredTwin is what a device knows of its desired properties. They are few: a map
// would take more.
type desiredTwin []property

type property struct {
	key   string
	value json.RawMessage
}

// patch takes in a change: null deletes (hub over MQTT, "Receiving desired
// property updates").
func (t *desiredTwin) patch(raw []byte) error {
	var change map[string]json.RawMessage
	if err := json.Unmarshal(raw, &change); err != nil {
		return err
	}
	*t = slices.DeleteFunc(*t, func(p property) bool { return change[p.key] != nil })
	for key, value := range change {
		if string(value) != "null" {
			*t = append(*t, property{key, value})
		}
	}
	return nil
}

// get is a property as a template writes it: a string without its quotes.
func (t *desiredTwin) get(key string) (string, bool) {
	at := slices.IndexFunc(*t, func(p property) bool { return p.key == key })
	if at < 0 {
		return "", false
	}
	value := (*t)[at].value
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text, true
	}
	return string(value), true
}
