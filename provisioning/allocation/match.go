package allocation

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Match is a condition on one value. One of its members is set, or AtLeast and
// Below together, and all of them mind case. Contains, Prefix, Suffix and Glob
// hold for text alone.
type Match struct {
	// Equals is a text, a number, true, false or null; In are several.
	Equals   json.RawMessage   `json:"equals,omitempty"`
	In       []json.RawMessage `json:"in,omitempty"`
	Contains string            `json:"contains,omitempty"`
	Prefix   string            `json:"prefix,omitempty"`
	Suffix   string            `json:"suffix,omitempty"`
	// Glob is a pattern: * is any text, ? any one character.
	Glob string `json:"glob,omitempty"`
	// Version is a range of versions, as ">=1.2 <2".
	Version Versions `json:"version,omitempty"`
	// AtLeast and Below hold for numbers.
	AtLeast *float64 `json:"atLeast,omitempty"`
	Below   *float64 `json:"below,omitempty"`
}

func (m Match) text(s string) bool {
	switch {
	case m.Equals != nil:
		return equalText(m.Equals, s)
	case m.In != nil:
		return slices.ContainsFunc(m.In, func(one json.RawMessage) bool { return equalText(one, s) })
	case m.Version != "":
		return m.Version.hold(s)
	case m.AtLeast != nil || m.Below != nil:
		return false
	case m.Prefix != "":
		return strings.HasPrefix(s, m.Prefix)
	case m.Suffix != "":
		return strings.HasSuffix(s, m.Suffix)
	case m.Glob != "":
		return glob(m.Glob, s)
	}
	return strings.Contains(s, m.Contains)
}

func (m Match) value(v json.RawMessage) bool {
	switch {
	case m.Equals != nil:
		return equal(m.Equals, v)
	case m.In != nil:
		return slices.ContainsFunc(m.In, func(one json.RawMessage) bool { return equal(one, v) })
	case m.AtLeast != nil || m.Below != nil:
		return m.number(v)
	case m.Version != "" && v[0] != '"':
		return m.Version.hold(string(v)) // 1.10 at its text: as a number it would be 1.1
	}
	var s *string
	return json.Unmarshal(v, &s) == nil && s != nil && m.text(*s)
}

func (m Match) number(v json.RawMessage) bool {
	var n *float64
	if json.Unmarshal(v, &n) != nil || n == nil {
		return false
	}
	return (m.AtLeast == nil || *n >= *m.AtLeast) && (m.Below == nil || *n < *m.Below)
}

func equalText(want json.RawMessage, s string) bool {
	var text *string
	return json.Unmarshal(want, &text) == nil && text != nil && s == *text
}

// equal compares meanings, not spellings: 1 is 1.0. Numbers are compared as
// JavaScript would, which is what wrote most of them.
func equal(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// member is the value at a path of names with dots between them.
func member(value json.RawMessage, path string) (json.RawMessage, bool) {
	for name := range strings.SplitSeq(path, ".") {
		var members map[string]json.RawMessage
		if json.Unmarshal(value, &members) != nil {
			return nil, false
		}
		next, ok := members[name]
		if !ok {
			return nil, false
		}
		value = next
	}
	return value, true
}

// glob goes back to the last star only, so that no pattern makes it slower than
// the product of the two lengths. (path.Match gives / a meaning and has errors.)
func glob(pattern, s string) bool {
	star, resume := -1, 0
	p, i := 0, 0
	for i < len(s) {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += size
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			_, size = utf8.DecodeRuneInString(s[resume:])
			resume += size
			p, i = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
