package metrics

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// maxText is how much of a text from the wire the log keeps; of a webhook's
// request and answer, for instance.
const maxText = 4 << 10

// compact is JSON on one line, as the log needs it, members and their order as
// they came. What is not JSON becomes a JSON string.
func compact(raw []byte) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	buf := bytes.NewBuffer(make([]byte, 0, len(raw)))
	if json.Compact(buf, raw) == nil {
		return buf.Bytes()
	}
	quoted, _ := json.Marshal(text(string(raw)))
	return quoted
}

// shortened is JSON as compact has it, or the beginning of much as a JSON string.
func shortened(raw []byte) json.RawMessage {
	if len(raw) <= maxText {
		return compact(raw)
	}
	quoted, _ := json.Marshal(excerpt(raw))
	return quoted
}

func excerpt(body []byte) string {
	return text(string(body[:min(len(body), maxText)]))
}

// text is text from the wire as the log can hold it: bounded, and whole in
// UTF-8, so that it comes back from the log as it went in.
func text(s string) string {
	s = s[:min(len(s), maxText)]
	if utf8.ValidString(s) { // the usual case, which is quick to see
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// moment is a time as the log holds it: UTC, to the microsecond.
func moment(t time.Time) time.Time { return t.Round(0).UTC().Truncate(time.Microsecond) }
