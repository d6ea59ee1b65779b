package allocation

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"dpsfleet/provisioning/ndjson"
)

// Recorded is a call of the webhook as a recording has it.
type Recorded struct {
	RegistrationID string
	Attempt        int
	At             time.Time
	Took           time.Duration
	Status         int // 0 where no answer came, and then Err says why
	Err            string
	Request        []byte // as it was sent
	Response       []byte
	Cut            bool // the answer was longer
}

// ReadRecording reads the calls of a recording in the order in which they were
// answered. What is wrong with a line comes as an error that names file and line,
// and reading goes on with the next, unless the file is no recording.
func ReadRecording(path string) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		for line, err := range ndjson.Read(path) {
			var call Recorded
			if line.Number <= 1 {
				if _, err := readHeader(line, err); err != nil {
					yield(call, err)
					return
				}
				continue
			}
			if err == nil {
				call, err = parseRecorded(line.Text)
				err = line.Wrap(err)
			}
			if !yield(call, err) {
				return
			}
		}
	}
}

// ReadRecordingInfo reads what a recording says of itself.
func ReadRecordingInfo(path string) (RecordingInfo, error) {
	for line, err := range ndjson.Read(path) {
		return readHeader(line, err)
	}
	return RecordingInfo{}, fmt.Errorf("%s is empty, and no recording", path)
}

func readHeader(line ndjson.Line, err error) (RecordingInfo, error) {
	var info RecordingInfo
	switch {
	case err != nil && line.Number == 0:
		return info, fmt.Errorf("reading the recording: %w", err)
	case err != nil:
		return info, err
	case json.Unmarshal(line.Text, &info) != nil || info.Format == 0:
		return info, line.Wrap(errors.New("not the first line of a recording (run --record writes one; a log is something else)"))
	case info.Format > recordingFormat:
		return info, line.Wrap(fmt.Errorf("the recording is of format %d; this dpsfleet knows %d", info.Format, recordingFormat))
	}
	return info, nil
}

// recordedLine is a line as addBody makes it.
type recordedLine struct {
	RegistrationID string          `json:"registrationId"`
	Attempt        int             `json:"attempt"`
	At             time.Time       `json:"at"`
	Took           int64           `json:"tookMicroseconds"`
	Status         int             `json:"status"`
	Err            string          `json:"error"`
	Cut            bool            `json:"cut"`
	Request        json.RawMessage `json:"request"`
	RequestText    string          `json:"requestText"`
	RequestBytes   []byte          `json:"requestBytes"`
	Response       json.RawMessage `json:"response"`
	ResponseText   string          `json:"responseText"`
	ResponseBytes  []byte          `json:"responseBytes"`
}

func parseRecorded(text []byte) (Recorded, error) {
	var line recordedLine
	if err := json.Unmarshal(text, &line); err != nil {
		return Recorded{}, fmt.Errorf("not a recorded call: %w", err)
	}
	call := Recorded{
		RegistrationID: line.RegistrationID,
		Attempt:        line.Attempt,
		At:             line.At,
		Took:           time.Duration(line.Took) * time.Microsecond,
		Status:         line.Status,
		Err:            line.Err,
		Cut:            line.Cut,
		Request:        body(line.Request, line.RequestText, line.RequestBytes),
		Response:       body(line.Response, line.ResponseText, line.ResponseBytes),
	}
	if call.RegistrationID == "" || len(call.Request) == 0 {
		return Recorded{}, errors.New("not a recorded call: it has no registrationId or no request")
	}
	return call, nil
}

// body is the one of the three that there is.
func body(raw json.RawMessage, text string, data []byte) []byte {
	switch {
	case len(raw) > 0:
		return raw
	case text != "":
		return []byte(text)
	}
	return data
}

// Answer is what came of the call, as the client had it.
func (r Recorded) Answer() Answer {
	a := Answer{Status: r.Status, Body: r.Response, Truncated: r.Cut, At: r.At, Took: r.Took}
	if r.Err != "" {
		a.Err = errors.New(r.Err)
	}
	return a
}

// Asked is the request as it went out.
func (r Recorded) Asked() Asked {
	var request struct {
		LinkedHubs []string `json:"linkedHubs"`
	}
	_ = json.Unmarshal(r.Request, &request) // without them no hub is linked, and that shows
	return Asked{RegistrationID: r.RegistrationID, LinkedHubs: request.LinkedHubs, Body: r.Request}
}
