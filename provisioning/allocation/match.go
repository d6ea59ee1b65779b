package allocation

import (
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Match is a condition on one value. One of its members is set, and all of them
// mind case; but for Equals they hold for text alone.
type Match struct {
	Equals   json.RawMessage `json:"equals,omitempty"` // a string, number, boolean or null
	Contains string          `json:"contains,omitempty"`
	Prefix   string          `json:"prefix,omitempty"`
	Suffix   string          `json:"suffix,omitempty"`
	Glob     string          `json:"glob,omitempty"` // * is any text, ? any one character
}

func (m Match) text(s string) bool {
	switch {
	case m.Equals != nil:
		var want *string
		return json.Unmarshal(m.Equals, &want) == nil && want != nil && s == *want
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
	if m.Equals != nil {
		return equal(m.Equals, v)
	}
	var s *string
	return json.Unmarshal(v, &s) == nil && s != nil && m.text(*s)
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
