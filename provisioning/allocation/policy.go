package allocation

import (
	"encoding/json"
)

// Policy is an allocation policy as data: rules that are tried in order, of
// which the first that matches decides. ParsePolicy reads one strictly.
type Policy struct {
	Name  string `json:"name,omitempty"`
	About string `json:"about,omitempty"`
	Rules []Rule `json:"rules"`
	// Otherwise is the sentence for a device that no rule matches; empty is the
	// tutorial's.
	Otherwise string `json:"otherwise,omitempty"`
}

// Rule sends the devices that it matches to a hub.
type Rule struct {
	When When      `json:"when,omitzero"`
	Hub  HubChoice `json:"hub"`
	// NoHub is the sentence for a device when no linked hub is the rule's.
	NoHub string `json:"noHub,omitempty"`
	// The twin that the device starts with and what it is told; JSON objects,
	// member order kept.
	Tags    json.RawMessage `json:"tags,omitempty"`
	Desired json.RawMessage `json:"desired,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// When says which devices a rule is for. All that it names must hold; one that
// names nothing holds for every device.
type When struct {
	RegistrationID *Match `json:"registrationId,omitempty"`
	// Payload holds for members of the device's payload, each by its path:
	// "deviceType", "module.kind".
	Payload map[string]Match `json:"payload,omitempty"`
}

// HubChoice says which of the linked hubs is a rule's.
type HubChoice struct {
	Match
	// Pick says which of several: PickLast if it is empty.
	Pick string `json:"pick,omitempty"`
}

// Which of several hubs a rule takes. The tutorial's loop keeps the last.
const (
	PickLast  = "last"
	PickFirst = "first"
)

// UnmarshalJSON is ParsePolicy, so that a policy inside of something else is
// read as strictly.
func (p *Policy) UnmarshalJSON(data []byte) (err error) {
	*p, err = ParsePolicy(data)
	return err
}

func (w When) all() bool { return w.RegistrationID == nil && len(w.Payload) == 0 }

func (w When) holds(registrationID string, payload json.RawMessage) bool {
	if w.RegistrationID != nil && !w.RegistrationID.text(registrationID) {
		return false
	}
	for path, match := range w.Payload {
		value, ok := member(payload, path)
		if !ok || !match.value(value) {
			return false
		}
	}
	return true
}

// choose is the tutorial's loop over the linked hubs.
func (c HubChoice) choose(hubs []string) (hub string, found bool) {
	for _, candidate := range hubs {
		if !c.text(candidate) {
			continue
		}
		hub, found = candidate, true
		if c.Pick == PickFirst {
			return hub, true
		}
	}
	return hub, found
}
