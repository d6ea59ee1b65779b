package allocation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func (r *reader) policy(text json.RawMessage, p *Policy) {
	seen := r.object("", text, fields{
		"name":      r.sentence(&p.Name),
		"about":     r.sentence(&p.About),
		"otherwise": r.sentence(&p.Otherwise),
		"rules":     func(path string, text json.RawMessage) { p.Rules = r.rules(path, text) },
	})
	if isObject(text) && !seen["rules"] {
		r.wrong("rules", "is missing")
	}
}

func (r *reader) rules(path string, text json.RawMessage) []Rule {
	var items []json.RawMessage
	if json.Unmarshal(text, &items) != nil || len(items) == 0 {
		r.wrong(path, "must be a list of at least one rule")
		return nil
	}
	rules := make([]Rule, len(items))
	last := -1 // the rule after which no other is reached
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		sound := r.rule(at, item, &rules[i])
		if last >= 0 {
			r.wrong(at, "is never reached: %s[%d] is for every device", path, last)
			continue
		}
		if sound && rules[i].When.all() {
			last = i
		}
	}
	return rules
}

// rule reports whether the rule could be read, so that no conclusion is drawn
// from one that could not.
func (r *reader) rule(path string, text json.RawMessage, dst *Rule) bool {
	before := len(r.mistakes)
	seen := r.object(path, text, fields{
		"when":    func(path string, text json.RawMessage) { r.when(path, text, &dst.When) },
		"hub":     func(path string, text json.RawMessage) { r.hub(path, text, &dst.Hub) },
		"noHub":   r.sentence(&dst.NoHub),
		"tags":    r.literal(&dst.Tags),
		"desired": r.literal(&dst.Desired),
		"payload": r.literal(&dst.Payload),
	})
	if isObject(text) && !seen["hub"] {
		r.wrong(path+".hub", "is missing")
	}
	return len(r.mistakes) == before
}

func (r *reader) when(path string, text json.RawMessage, dst *When) {
	r.object(path, text, fields{
		"registrationId": func(path string, text json.RawMessage) {
			dst.RegistrationID = &Match{}
			r.match(path, text, dst.RegistrationID)
			r.onlyText(path, *dst.RegistrationID)
		},
		"payload": func(path string, text json.RawMessage) { dst.Payload = r.conditions(path, text) },
	})
}

func (r *reader) conditions(path string, text json.RawMessage) map[string]Match {
	conditions := map[string]Match{}
	r.each(path, text, func(name string, value json.RawMessage) {
		at := join(path, name)
		if _, twice := conditions[name]; twice {
			r.wrong(at, "stands there twice")
			return
		}
		if slices.Contains(strings.Split(name, "."), "") {
			r.wrong(at, "must be names with a dot between them")
		}
		var m Match
		r.match(at, value, &m)
		conditions[name] = m
	})
	return conditions
}

func (r *reader) hub(path string, text json.RawMessage, dst *HubChoice) {
	if !isObject(text) {
		r.match(path, text, &dst.Match)
		r.onlyText(path, dst.Match)
		return
	}
	known := r.matchFields(&dst.Match)
	known["pick"] = func(path string, text json.RawMessage) {
		r.sentence(&dst.Pick)(path, text)
		if dst.Pick != "" && dst.Pick != PickLast && dst.Pick != PickFirst {
			r.wrong(path, "must be %s or %s", PickLast, PickFirst)
		}
	}
	seen := r.object(path, text, known)
	delete(seen, "pick")
	r.oneOf(path, seen)
	r.onlyText(path, dst.Match)
}

// match reads a condition; a bare value is short for equals.
func (r *reader) match(path string, text json.RawMessage, dst *Match) {
	if !isObject(text) {
		r.equals(&dst.Equals)(path, text)
		return
	}
	r.oneOf(path, r.object(path, text, r.matchFields(dst)))
}

func (r *reader) matchFields(dst *Match) fields {
	return fields{
		"equals":   r.equals(&dst.Equals),
		"contains": r.sentence(&dst.Contains),
		"prefix":   r.sentence(&dst.Prefix),
		"suffix":   r.sentence(&dst.Suffix),
		"glob":     r.sentence(&dst.Glob),
	}
}

func (r *reader) equals(dst *json.RawMessage) func(string, json.RawMessage) {
	return func(path string, text json.RawMessage) {
		if isObject(text) || text[0] == '[' {
			r.wrong(path, "must be a text, a number, true, false or null")
			return
		}
		*dst = text
	}
}

func (r *reader) oneOf(path string, seen map[string]bool) {
	if len(seen) != 1 {
		r.wrong(path, "must name one of contains, equals, glob, prefix, suffix")
	}
}

// onlyText is for what is always text: another kind would never match.
func (r *reader) onlyText(path string, m Match) {
	if m.Equals != nil && m.Equals[0] != '"' {
		r.wrong(path, "is compared with text, so it must be text")
	}
}
