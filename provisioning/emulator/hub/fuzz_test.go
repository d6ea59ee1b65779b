package hub_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
)

// FuzzPatch holds our merge of texts against the plain one of decoded values
// (RFC 7396): whatever a hub takes comes out with the same meaning.
func FuzzPatch(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":2}}`, `{"b":{"c":null,"d":[1, 2]},"e":{"f":null}}`)
	f.Add(`{}`, `{"a":null}`)
	f.Add(`{"a":[]}`, `{"a":{"b":1}}`)
	f.Add(`{"a":1,"a":2}`, `{"a":null}`)
	f.Add(`{ }`, ` {"\u0061" : "<" } `)
	f.Fuzz(func(t *testing.T, desired, patch string) {
		var initial provisioning.InitialTwin
		initial.Properties.Desired = json.RawMessage(desired)
		first, err := hub.NewTwin(initial)
		if err != nil {
			return
		}
		h := hub.New(name, hub.Options{})
		h.Put(hub.Device{ID: deviceID}, first)
		if !json.Valid(first.JSON()) {
			t.Fatalf("the twin of %q is %s", desired, first.JSON())
		}
		if _, err := h.PatchDesired(deviceID, []byte(patch)); err != nil {
			return
		}
		second, _ := h.Twin(deviceID)
		var got, want map[string]any
		if err := decode(second.Desired, &got); err != nil {
			t.Fatalf("%q patched with %q is %s: %v", desired, patch, second.Desired, err)
		}
		if first.Desired != nil {
			decode(first.Desired, &want)
		}
		if hasTwins(desired) || hasTwins(patch) {
			return // a member that is there twice has no one meaning
		}
		var change map[string]any
		decode([]byte(patch), &change)
		if want = plainMerge(want, change); !reflect.DeepEqual(got, want) {
			t.Errorf("%q patched with %q is %s, want %v", desired, patch, second.Desired, want)
		}
	})
}

func plainMerge(have map[string]any, change map[string]any) map[string]any {
	merged := map[string]any{}
	for k, v := range have {
		merged[k] = v
	}
	for k, v := range change {
		object, isObject := v.(map[string]any)
		if v == nil {
			delete(merged, k)
			continue
		}
		if isObject {
			old, _ := merged[k].(map[string]any)
			v = plainMerge(old, object)
		}
		merged[k] = v
	}
	return merged
}

// hasTwins reports whether an object somewhere in text has a member twice: then
// it loses something on its way through a map.
func hasTwins(text string) bool {
	var v any
	json.Unmarshal([]byte(text), &v)
	return countMembers(v) != membersIn(text)
}

func countMembers(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, member := range v {
			n += countMembers(member)
		}
	case []any:
		for _, element := range v {
			n += countMembers(element)
		}
	}
	return n
}

// membersIn counts the colons outside of strings.
func membersIn(text string) (n int) {
	inString, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
		case inString && r == '\\':
			escaped = true
		case r == '"':
			inString = !inString
		case r == ':' && !inString:
			n++
		}
	}
	return n
}

// decode leaves numbers as they are written: JSON's may be larger than Go's.
func decode(text []byte, to *map[string]any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(to)
}
