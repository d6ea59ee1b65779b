package allocation

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/ndjson"
)

// RecordingInfo is the first line of a recording: what was recorded.
type RecordingInfo struct {
	// Format is the version of the file's format.
	Format   int    `json:"recording"`
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Webhook says what was called, its key masked.
	Webhook  string    `json:"webhook"`
	Started  time.Time `json:"started"`
	Redacted []string  `json:"redacted,omitempty"`
}

// recordingFormat is raised when an older program could not read what is written.
const recordingFormat = 1

// maxRecorded is how much of an answer is recorded. A hub takes 40 KB of a twin.
const maxRecorded = 64 << 10

// Recording writes the calls of a webhook into a file, a line each, as they were
// to the byte: what a later version of the webhook is asked again, and held
// against. One goroutine owns it.
type Recording struct {
	path       string
	lines      *ndjson.Writer
	redactions []redaction
	calls      int
}

// CreateRecording makes the file path, something.ndjson or something.ndjson.zst,
// and overwrites none. info.Redacted are paths, as
// deviceRuntimeContext.payload.owner, whose values are never written; they are
// looked for in requests and in answers.
func CreateRecording(path string, info RecordingInfo) (*Recording, error) {
	if err := ndjson.CheckName(path); err != nil {
		return nil, fmt.Errorf("the recording %w", err)
	}
	r := &Recording{path: path}
	for _, text := range info.Redacted {
		redaction, err := parseRedaction(text)
		if err != nil {
			return nil, err
		}
		r.redactions = append(r.redactions, redaction)
	}
	lines, err := ndjson.Create(path)
	if err != nil {
		return nil, fmt.Errorf("making the recording: %w", err)
	}
	lines.Gather = true
	r.lines = lines
	info.Format = recordingFormat
	r.write(mustMarshal(info))
	return r, nil
}

// Record writes a call of the webhook; other exchanges it leaves alone.
func (r *Recording) Record(x *provisioning.Exchange) {
	if x.Kind != provisioning.ExchangeAllocate || r.lines.Err() != nil {
		return
	}
	var o provisioning.Object
	o.Text("registrationId", x.RegistrationID)
	o.Int("attempt", int64(x.Attempt))
	o.Text("at", x.At.UTC().Format(time.RFC3339Nano))
	o.Int("tookMicroseconds", x.Took.Microseconds())
	if x.Status != 0 {
		o.Int("status", int64(x.Status))
	}
	o.TextIf("error", x.Err)
	answer, cut := x.Answered, len(x.Answered) > maxRecorded
	if cut {
		answer = answer[:maxRecorded]
		o.Raw("cut", []byte("true"))
	}
	addBody(&o, "request", r.redact(x.Asked, true))
	addBody(&o, "response", r.redact(answer, false))
	r.calls++
	r.write(o.Bytes())
}

// write adds a line. What fails is told by Close; the run goes on.
func (r *Recording) write(line []byte) { _, _ = r.lines.Write(append(line, '\n')) }

// addBody adds a body as the JSON that it is, byte for byte. One that is no JSON,
// or does not fit on a line, is a text, and what is no text is in base64.
func addBody(o *provisioning.Object, name string, body []byte) {
	switch {
	case fitsLine(body):
		o.Raw(name, body)
	case utf8.Valid(body):
		o.TextIf(name+"Text", string(body))
	default:
		o.Text(name+"Bytes", base64.StdEncoding.EncodeToString(body))
	}
}

// fitsLine reports whether a body is a JSON object that can be a part of a line
// and be read from it again: encoding/json gives up at 10,000 levels.
func fitsLine(body []byte) bool {
	const deep = 1000
	return len(body) > 1 && body[0] == '{' && body[len(body)-1] == '}' && !bytes.ContainsAny(body, "\r\n") &&
		bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) < deep && json.Valid(body)
}

// Close ends the recording. The notes are for whoever asked for it; the error is
// that it is not whole.
func (r *Recording) Close() (notes []string, err error) {
	for _, redaction := range r.redactions {
		notes = append(notes, redaction.String())
	}
	if r.calls == 0 {
		notes = append(notes, fmt.Sprintf("the recording %s holds no call: no webhook was called", r.path))
	}
	if err := r.lines.Close(); err != nil {
		return notes, fmt.Errorf("the recording %s ends before the run did: %w", r.path, err)
	}
	return notes, nil
}
