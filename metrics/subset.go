package metrics

import (
	"encoding/json"
	"maps"
	"slices"

	"dpsfleet/provisioning"
)

// wanted is a JSON object whose members an other one must have. A fleet's
// devices are mostly given the same few objects, so what was found of one is
// remembered.
type wanted struct {
	name  string
	value any
	of    func(*Boot) json.RawMessage
	known map[string]string
}

// maxKnown bounds what is remembered: payloads may differ with each device.
const maxKnown = 256

// missed says which member of raw is not as wanted; empty if all are.
func (w *wanted) missed(raw json.RawMessage) string {
	if why, ok := w.known[string(raw)]; ok {
		return why
	}
	why := w.name + " is missing"
	if len(raw) > 0 {
		why = differs(w.name, w.value, provisioning.Meaning(raw))
	}
	if len(w.known) < maxKnown && len(raw) <= maxText {
		if w.known == nil {
			w.known = make(map[string]string)
		}
		w.known[string(raw)] = why
	}
	return why
}

// differs says where got lacks what is wanted. Objects may have members beside;
// anything else must be equal, numbers by their value.
func differs(path string, want, got any) string {
	members, ok := want.(map[string]any)
	if !ok {
		if provisioning.SameMeaning(want, got) {
			return ""
		}
		return path + " is " + show(got) + ", not " + show(want)
	}
	has, ok := got.(map[string]any)
	if !ok {
		return path + " is " + show(got) + ", not an object"
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		value, ok := has[key]
		if !ok {
			return path + "." + key + " is missing, expected " + show(members[key])
		}
		if why := differs(path+"."+key, members[key], value); why != "" {
			return why
		}
	}
	return ""
}

// show is a value as JSON, cut short; a text and a number look different.
func show(v any) string {
	const most = 80
	data, err := provisioning.Marshal(v)
	if err != nil {
		return "not JSON"
	}
	if len(data) > most {
		return text(string(data[:most])) + "..."
	}
	return string(data)
}
