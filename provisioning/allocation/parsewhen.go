package allocation

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds conditions within conditions.
const maxDepth = 16

func (r *reader) when(path string, text json.RawMessage, dst *When) {
	if r.depth == maxDepth {
		r.wrong(path, "is nested too deep")
		return
	}
	r.depth++
	defer func() { r.depth-- }()
	r.object(path, text, fields{
		"registrationId": func(path string, text json.RawMessage) {
			dst.RegistrationID = &Match{}
			r.match(path, text, r.textFields(dst.RegistrationID))
		},
		"payload": func(path string, text json.RawMessage) { dst.Payload = r.conditions(path, text) },
		"any": func(path string, text json.RawMessage) {
			items := r.list(path, text, "condition")
			dst.Any = make([]When, len(items))
			for i, item := range items {
				r.inner(join(path, strconv.Itoa(i)), item, &dst.Any[i])
			}
		},
		"not": func(path string, text json.RawMessage) {
			dst.Not = &When{}
			r.inner(path, text, dst.Not)
		},
	})
}

// inner reads a condition within another.
func (r *reader) inner(path string, text json.RawMessage, dst *When) {
	before := len(r.mistakes)
	r.when(path, text, dst)
	if dst.all() && len(r.mistakes) == before {
		r.wrong(path, "names no condition")
	}
}

func (r *reader) conditions(path string, text json.RawMessage) map[string]Match {
	conditions := map[string]Match{}
	r.table(path, text, func(path, name string, text json.RawMessage) {
		r.memberPath(path, name)
		var m Match
		r.match(path, text, r.valueFields(&m))
		conditions[name] = m
	})
	return conditions
}

func (r *reader) memberPath(path, name string) {
	if slices.Contains(strings.Split(name, "."), "") {
		r.wrong(path, "must be names with a dot between them")
	}
}

// match reads a condition; a bare value is short for equals.
func (r *reader) match(path string, text json.RawMessage, known fields) {
	if !isObject(text) {
		known["equals"](path, text)
		return
	}
	seen := r.object(path, text, known)
	if seen["atLeast"] && seen["below"] {
		delete(seen, "below") // the two are one range
	}
	r.oneOf(path, seen, known.names())
}

// textFields are the conditions on what is always text: another kind would never
// match.
func (r *reader) textFields(dst *Match) fields {
	return fields{
		"equals": func(path string, text json.RawMessage) {
			r.equals(&dst.Equals)(path, text)
			r.onlyText(path, dst.Equals)
		},
		"in": func(path string, text json.RawMessage) {
			r.in(path, text, &dst.In)
			for i, one := range dst.In {
				r.onlyText(join(path, strconv.Itoa(i)), one)
			}
		},
		"contains": r.sentence(&dst.Contains),
		"prefix":   r.sentence(&dst.Prefix),
		"suffix":   r.sentence(&dst.Suffix),
		"glob":     r.sentence(&dst.Glob),
	}
}

func (r *reader) valueFields(dst *Match) fields {
	known := r.textFields(dst)
	known["equals"] = r.equals(&dst.Equals)
	known["in"] = func(path string, text json.RawMessage) { r.in(path, text, &dst.In) }
	known["version"] = func(path string, text json.RawMessage) {
		var versions string
		r.sentence(&versions)(path, text)
		dst.Version = Versions(versions)
		if versions != "" && !dst.Version.sound() {
			r.wrong(path, `must be comparisons of dotted numbers, as ">=1.2 <2"`)
		}
	}
	known["atLeast"] = r.number(&dst.AtLeast)
	known["below"] = r.number(&dst.Below)
	return known
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

func (r *reader) in(path string, text json.RawMessage, dst *[]json.RawMessage) {
	items := r.list(path, text, "value")
	*dst = make([]json.RawMessage, len(items))
	for i, item := range items {
		r.equals(&(*dst)[i])(join(path, strconv.Itoa(i)), item)
	}
}

func (r *reader) oneOf(path string, seen map[string]bool, names []string) {
	if len(seen) != 1 {
		r.wrong(path, "must name one of %s", strings.Join(names, ", "))
	}
}

func (r *reader) onlyText(path string, value json.RawMessage) {
	if value != nil && value[0] != '"' {
		r.wrong(path, "is compared with text, so it must be text")
	}
}
