package allocation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong with a policy. ParsePolicy joins all that
// it finds; errors.As and the Unwrap of errors.Join give them one by one.
type Mistake struct {
	Pointer string // a JSON pointer (RFC 6901), /rules/1/hub/pick; empty for the whole
	Text    string
}

// Error is the place, as rules[1].hub.pick, and what is wrong there. It quotes
// names, never values.
func (m *Mistake) Error() string {
	if m.Pointer == "" {
		return "the policy " + m.Text
	}
	return m.Path() + " " + m.Text
}

// Path is the pointer as people write it; names that are no plain words are
// quoted.
func (m *Mistake) Path() string {
	var out strings.Builder
	for name := range strings.SplitSeq(strings.TrimPrefix(m.Pointer, "/"), "/") {
		name = unescapePointer.Replace(name)
		switch {
		case name != "" && strings.Trim(name, "0123456789") == "":
			out.WriteString("[" + name + "]")
		case name == "" || strings.Trim(name, plainWord) != "":
			fmt.Fprintf(&out, "[%.64q]", name)
		case out.Len() > 0:
			out.WriteString("." + name)
		default:
			out.WriteString(name)
		}
	}
	return out.String()
}

const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

var (
	escapePointer   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")
)

// ParsePolicy reads a policy from JSON and says all that is wrong with it, each
// a *Mistake. Twins and payloads lose their white space, as the tutorial's
// answer has none, and keep their order.
func ParsePolicy(data []byte) (Policy, error) {
	var p Policy
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		return p, notJSON(err)
	}
	var r reader
	r.policy(data, &p)
	if len(r.mistakes) > 0 {
		return Policy{}, errors.Join(r.mistakes...)
	}
	return p, nil
}

func notJSON(err error) error {
	m := &Mistake{Text: "is not JSON: " + err.Error()}
	if at := new(json.SyntaxError); errors.As(err, &at) {
		m.Text += fmt.Sprintf(" (at byte %d)", at.Offset)
	}
	return m
}

// reader gathers mistakes instead of stopping at the first. It is no
// json.Decoder with DisallowUnknownFields because that stops there, takes
// HOSTNAME for hostName and lets a member stand twice.
type reader struct {
	mistakes []error
	depth    int // of conditions in conditions
}

// mostMistakes bounds the report on a file that is no policy at all.
const mostMistakes = 50

func (r *reader) wrong(path, format string, args ...any) {
	if len(r.mistakes) < mostMistakes {
		r.mistakes = append(r.mistakes, &Mistake{Pointer: path, Text: fmt.Sprintf(format, args...)})
	}
}

// fields are the members that an object may have, each with its reader.
type fields map[string]func(path string, text json.RawMessage)

func (f fields) names() []string { return slices.Sorted(maps.Keys(f)) }

// object reads the members at path in their order; it returns those that were
// there.
func (r *reader) object(path string, text json.RawMessage, known fields) map[string]bool {
	seen := map[string]bool{}
	r.each(path, text, func(name string, value json.RawMessage) {
		at := join(path, name)
		read, ok := known[name]
		switch {
		case !ok:
			r.wrong(at, "is unknown; it may be %s", strings.Join(known.names(), ", "))
		case seen[name]:
			r.wrong(at, "stands there twice")
		default:
			read(at, value)
		}
		seen[name] = true
	})
	return seen
}

// each calls do for every member of the object at path.
func (r *reader) each(path string, text json.RawMessage, do func(name string, value json.RawMessage)) {
	if !isObject(text) {
		r.wrong(path, "must be an object")
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.Token() // the brace; the text is known to be JSON
	for decoder.More() {
		name, _ := decoder.Token()
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return
		}
		do(name.(string), value)
	}
}

// table calls do for every member of an object whose names are the policy's own.
func (r *reader) table(path string, text json.RawMessage, do func(path, name string, value json.RawMessage)) {
	seen := map[string]bool{}
	r.each(path, text, func(name string, value json.RawMessage) {
		if seen[name] {
			r.wrong(join(path, name), "stands there twice")
			return
		}
		seen[name] = true
		do(join(path, name), name, value)
	})
	if isObject(text) && len(seen) == 0 {
		r.wrong(path, "is empty")
	}
}

// list reads the items of a list that must have some.
func (r *reader) list(path string, text json.RawMessage, what string) []json.RawMessage {
	var items []json.RawMessage
	if json.Unmarshal(text, &items) != nil || len(items) == 0 {
		r.wrong(path, "must be a list of at least one %s", what)
	}
	return items
}

// join appends a name to a pointer.
func join(path, name string) string { return path + "/" + escapePointer.Replace(name) }

func (r *reader) sentence(dst *string) func(string, json.RawMessage) {
	return func(path string, text json.RawMessage) {
		var s *string
		switch {
		case json.Unmarshal(text, &s) != nil || s == nil:
			r.wrong(path, "must be text")
		case *s == "":
			r.wrong(path, "is empty; leave it out instead")
		default:
			*dst = *s
		}
	}
}

func (r *reader) boolean(dst *bool) func(string, json.RawMessage) {
	return func(path string, text json.RawMessage) {
		var b *bool
		if json.Unmarshal(text, &b) != nil || b == nil {
			r.wrong(path, "must be true or false")
			return
		}
		*dst = *b
	}
}

func (r *reader) number(dst **float64) func(string, json.RawMessage) {
	return func(path string, text json.RawMessage) {
		if json.Unmarshal(text, dst) != nil || *dst == nil {
			r.wrong(path, "must be a number")
		}
	}
}

// literal reads an object that is passed on.
func (r *reader) literal(dst *json.RawMessage) func(string, json.RawMessage) {
	return func(path string, text json.RawMessage) {
		if !isObject(text) {
			r.wrong(path, "must be an object")
			return
		}
		*dst = compact(text)
	}
}

func compact(text json.RawMessage) json.RawMessage {
	var buf bytes.Buffer
	json.Compact(&buf, text) // cannot fail: the text is known to be JSON
	return buf.Bytes()
}
