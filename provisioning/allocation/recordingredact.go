package allocation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// redaction is a path to a value that must not be written down, and how often it
// was found.
type redaction struct {
	path            []string
	asked, answered int
}

const redacted = `"****"`

// parseRedaction reads names with dots between them.
func parseRedaction(text string) (redaction, error) {
	r := redaction{path: strings.Split(text, ".")}
	for _, name := range r.path {
		if name == "" {
			return r, fmt.Errorf("%.80q is no path to redact; names with dots between them are, as deviceRuntimeContext.payload.owner", text)
		}
	}
	return r, nil
}

// String says where the path was found.
func (r redaction) String() string {
	path := strings.Join(r.path, ".")
	if r.asked+r.answered == 0 {
		return fmt.Sprintf("%q was to be redacted and is in no request and in no answer; check the path", path)
	}
	return fmt.Sprintf("redacted %q in %d requests and %d answers", path, r.asked, r.answered)
}

// redact is a body without what must not be written down. One that is not JSON
// may say anything anywhere, so nothing is left of it.
func (r *Recording) redact(body []byte, asked bool) []byte {
	if len(r.redactions) == 0 || len(body) == 0 {
		return body
	}
	if !json.Valid(body) {
		return []byte("****")
	}
	for i := range r.redactions {
		redaction := &r.redactions[i]
		out, found := replace(body, redaction.path)
		switch {
		case !found:
		case asked:
			redaction.asked++
		default:
			redaction.answered++
		}
		body = out
	}
	return body
}

// replace puts **** where path leads to, and leaves every other byte as it is.
// Names are found whatever their case, as .NET finds them, and lists are gone
// through.
func replace(body []byte, path []string) (out []byte, found bool) {
	if len(path) == 0 {
		return []byte(redacted), true
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	opening, err := decoder.Token()
	list := opening == json.Delim('[')
	if err != nil || !list && opening != json.Delim('{') {
		return body, false
	}
	copied := 0
	for decoder.More() {
		match, rest := list, path
		if !list {
			name, _ := decoder.Token()
			text, _ := name.(string)
			match, rest = strings.EqualFold(text, path[0]), path[1:]
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return body, false // cannot be: the body was found to be JSON
		}
		if !match {
			continue
		}
		changed, here := replace(value, rest)
		if !here {
			continue
		}
		found = true
		end := int(decoder.InputOffset())
		out = append(append(out, body[copied:end-len(value)]...), changed...)
		copied = end
	}
	return append(out, body[copied:]...), found
}
