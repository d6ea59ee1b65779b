package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"dpsfleet/provisioning"
)

// document is a JSON text some of whose strings are templates. What is between
// them is copied as it stands, so the order of the members stays.
type document struct {
	parts []part
}

// part is a run of plain JSON followed by a template, which the last one lacks.
type part struct {
	plain []byte
	value *text
}

// compileDocument compiles raw, which must be a JSON object; nil makes nil.
func compileDocument(raw json.RawMessage) (*document, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return nil, errors.New("must be an object of names and values")
	}
	doc := &document{}
	plainFrom := 0
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := stringEnd(raw, i)
		if strings.Contains(string(raw[i:end]), "{{") {
			value, err := compileValue(raw, i, end)
			if err != nil {
				return nil, err
			}
			doc.parts = append(doc.parts, part{plain: raw[plainFrom:i], value: value})
			plainFrom = end
		}
		i = end - 1
	}
	doc.parts = append(doc.parts, part{plain: raw[plainFrom:]})
	return doc, nil
}

func compileValue(raw []byte, start, end int) (*text, error) {
	var source string
	if err := json.Unmarshal(raw[start:end], &source); err != nil {
		return nil, err
	}
	if rest := strings.TrimLeft(string(raw[end:]), " \t\r\n"); strings.HasPrefix(rest, ":") {
		return nil, fmt.Errorf("%q is a name; only values are templates", source)
	}
	return compileText(source)
}

// stringEnd is the index behind the string that starts at start, in valid JSON.
func stringEnd(raw []byte, start int) int {
	for i := start + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// render fills the templates in. What it returns is not to be changed.
func (d *document) render(s *scope) (json.RawMessage, error) {
	if d == nil {
		return nil, nil
	}
	if len(d.parts) == 1 && len(d.parts[0].plain) <= provisioning.MaxMessage { // the same for all
		return d.parts[0].plain, nil
	}
	var out []byte
	for _, p := range d.parts {
		out = append(out, p.plain...)
		if p.value == nil {
			continue
		}
		value, err := p.value.render(s)
		if err != nil {
			return nil, err
		}
		if p.value.number {
			out = append(out, value...)
			continue
		}
		quoted, err := provisioning.Marshal(value)
		if err != nil {
			return nil, err
		}
		out = append(out, quoted...)
	}
	if len(out) > provisioning.MaxMessage {
		return nil, fmt.Errorf("comes to %d bytes; DPS takes messages of up to %d", len(out), provisioning.MaxMessage)
	}
	return out, nil
}
