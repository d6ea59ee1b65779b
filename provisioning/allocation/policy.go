package allocation

import (
	"encoding/json"

	"dpsfleet/provisioning"
)

// Policy is an allocation policy as data: rules that are tried in order, of
// which the first that matches decides. ParsePolicy reads one strictly.
type Policy struct {
	Name  string `json:"name,omitempty"`
	About string `json:"about,omitempty"`
	Rules []Rule `json:"rules"`
	// Otherwise is for a device that no rule matches: the sentence that it is
	// refused with, or where it goes. Left out, the tutorial's sentence.
	Otherwise Otherwise `json:"otherwise,omitzero"`
}

// Otherwise is for a device that no rule matches. Rule, if there is one, decides;
// it has no When.
type Otherwise struct {
	Sentence string
	Rule     *Rule
}

// Rule sends the devices that it matches to a hub.
type Rule struct {
	// When says which devices it is for; left out, all.
	When When `json:"when,omitzero"`
	// Hub says which of the linked hubs is the rule's.
	Hub HubChoice `json:"hub"`
	// Sticky keeps a device that has a hub already where it is, while that one is
	// linked and among the rule's.
	Sticky bool `json:"sticky,omitempty"`
	// NoHub is the sentence for a device when no linked hub is the rule's.
	NoHub string `json:"noHub,omitempty"`
	// Tags, Desired and Payload are the twin that the device starts with and what
	// it is told; the order of their members is kept.
	Tags    json.RawMessage `json:"tags,omitempty"`
	Desired json.RawMessage `json:"desired,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// When says which devices a rule is for. All that it names must hold; one that
// names nothing holds for every device.
type When struct {
	RegistrationID *Match `json:"registrationId,omitempty"`
	// Payload holds for members of the device's payload, each by its path:
	// deviceType, module.kind. One that is not there fails.
	Payload map[string]Match `json:"payload,omitempty"`
	// Any holds if one of them does.
	Any []When `json:"any,omitempty"`
	// Not holds if it does not.
	Not *When `json:"not,omitempty"`
}

// HubChoice says which of the linked hubs is a rule's: those that the Match
// holds for, those of Spread, or those of Region. The word hashed alone is all of
// them.
type HubChoice struct {
	Match
	// Pick says which of several: the last, the first, or hashed, one by the
	// registration id; last.
	Pick string `json:"pick,omitempty"`
	// Spread is how many devices each hub gets beside the others', by its name or a
	// glob for several, of which each gets that many. The first that fits counts. A
	// hub with 0 gets nobody new, and keeps whom sticky leaves there.
	Spread Table[float64] `json:"spread,omitempty"`
	// Region goes by where the device says it is.
	Region *Region `json:"region,omitempty"`
}

// Region says which hubs are a region's. For a device in none of them the rule
// does not match, and the next one is tried.
type Region struct {
	// Payload is the path of the member of the device's payload with its region.
	Payload string `json:"payload"`
	// Hubs are globs of hubs by globs of regions, of which the first that fits
	// counts. Of several hubs a device gets one by its registration id.
	Hubs Table[string] `json:"hubs"`
}

// Which of several hubs a rule takes. The tutorial's loop keeps the last; hashed
// is what DPS calls its own even spread.
const (
	PickLast   = "last"
	PickFirst  = "first"
	PickHashed = "hashed"
)

// Table is a JSON object whose order counts.
type Table[V any] []Entry[V]

// Entry is a line of a Table.
type Entry[V any] struct {
	Name  string
	Value V
}

// MarshalJSON writes an object.
func (t Table[V]) MarshalJSON() ([]byte, error) {
	var o provisioning.Object
	for _, entry := range t {
		o.Raw(entry.Name, mustMarshal(entry.Value))
	}
	return o.Bytes(), nil
}

// find is the first value whose name, a glob, fits.
func (t Table[V]) find(text string) (value V, found bool) {
	for _, entry := range t {
		if glob(entry.Name, text) {
			return entry.Value, true
		}
	}
	return value, false
}

// MarshalJSON writes the sentence or the rule.
func (o Otherwise) MarshalJSON() ([]byte, error) {
	if o.Rule != nil {
		return mustMarshal(o.Rule), nil
	}
	return mustMarshal(o.Sentence), nil
}

// UnmarshalJSON is ParsePolicy, so that a policy inside of something else is
// read as strictly.
func (p *Policy) UnmarshalJSON(data []byte) (err error) {
	*p, err = ParsePolicy(data)
	return err
}
