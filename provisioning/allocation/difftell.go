package allocation

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"

	"dpsfleet/provisioning"
)

// story is what both recordings hold of a registration that is told of.
type story struct {
	id    string
	sides [2]Verdict
}

// tell reads the recordings once more for what is to be told.
func (d *differ) tell(ctx context.Context, changes []change, files ...string) ([]Change, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	stories := make(map[uint64]*story, len(changes))
	for _, c := range changes {
		stories[c.key] = &story{}
	}
	for i, file := range files {
		for call, err := range ReadRecording(file) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err != nil {
				continue // noted the first time
			}
			if s := stories[d.key(call)]; s != nil {
				s.id, s.sides[i] = call.RegistrationID, d.judge(call)
			}
		}
	}
	told := make([]Change, 0, len(changes))
	for _, c := range changes {
		told = append(told, stories[c.key].change(c.kind))
	}
	return told, nil
}

func (s *story) change(kind ChangeKind) Change {
	was, is := s.sides[0], s.sides[1]
	c := Change{RegistrationID: s.id, Kind: kind}
	switch kind {
	case TwinChanges:
		a, b := twinOf(was), twinOf(is)
		c.compare("desired", a.Properties.Desired, b.Properties.Desired)
		c.compare("tags", a.Tags, b.Tags)
	case PayloadChanges:
		c.compare("payload", was.Payload, is.Payload)
	case OnlyInFirst:
		c.From = place(was)
	case OnlyInSecond:
		c.To = place(is)
	default:
		c.From, c.To = place(was), place(is)
	}
	return c
}

func twinOf(v Verdict) provisioning.InitialTwin {
	if v.InitialTwin == nil {
		return provisioning.InitialTwin{}
	}
	return *v.InitialTwin
}

// place is where a device ends up.
func place(v Verdict) string {
	if v.Hub != "" {
		return v.Hub
	}
	return ending(v) + ": " + v.Reason
}

const maxValues = 10 // of a change that are told

// compare adds the members that differ.
func (c *Change) compare(name string, a, b []byte) {
	c.walk(name, held{provisioning.Meaning(a), len(a) > 0}, held{provisioning.Meaning(b), len(b) > 0})
}

// held is a value that may be missing.
type held struct {
	value any
	there bool
}

func (c *Change) walk(path string, a, b held) {
	x, isObject := a.value.(map[string]any)
	y, alsoObject := b.value.(map[string]any)
	if isObject && alsoObject {
		names := maps.Clone(x)
		maps.Copy(names, y)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			in, inA := x[name]
			of, inB := y[name]
			c.walk(path+"."+name, held{in, inA}, held{of, inB})
		}
		return
	}
	if a.there == b.there && provisioning.SameMeaning(a.value, b.value) {
		return
	}
	if len(c.Values) == maxValues {
		c.More++
		return
	}
	c.Values = append(c.Values, ValueChange{Path: short(path), From: a.text(), To: b.text()})
}

func (h held) text() string {
	if !h.there {
		return ""
	}
	return short(string(mustMarshal(h.value)))
}

// short bounds what is told of a text.
func short(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// hash is a number for what JSON says; 0 for none. Most devices are given one of
// a few twins, so what came before is not read again.
func (d *differ) hash(raw json.RawMessage) uint64 {
	if len(raw) == 0 {
		return 0
	}
	if known, ok := d.hashes[string(raw)]; ok {
		return known
	}
	var h maphash.Hash
	h.SetSeed(d.seed)
	digest(&h, provisioning.Meaning(raw))
	sum := max(h.Sum64(), 1)
	if len(d.hashes) < maxAnswers && len(raw) <= maxAnswerKept {
		d.hashes[string(raw)] = sum
	}
	return sum
}

// digest writes what a value says, so that the same as by
// [provisioning.SameMeaning] is the same here.
func digest(h *maphash.Hash, v any) {
	switch v := v.(type) {
	case nil:
		h.WriteString("null;")
	case bool:
		maphash.WriteComparable(h, v)
	case string:
		h.WriteString("text")
		maphash.WriteComparable(h, v)
	case json.Number:
		h.WriteString("number")
		maphash.WriteComparable(h, provisioning.PlainNumber(v))
	case []any:
		h.WriteString("list")
		maphash.WriteComparable(h, len(v))
		for _, item := range v {
			digest(h, item)
		}
	case map[string]any:
		h.WriteString("object")
		maphash.WriteComparable(h, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			maphash.WriteComparable(h, name)
			digest(h, v[name])
		}
	}
}
