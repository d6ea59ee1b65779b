package allocation

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"dpsfleet/provisioning/wording"
)

// run is one execution of the function: the decision, and the log that the
// tutorial shows of it. A body that is not JSON stops the C# before it logs the
// body.
func (h *handler) run(body []byte, start time.Time) Decision {
	id, j := h.NewID(), journal{now: h.Now, silent: h.Log == nil}
	j.info("Executing 'Functions.HttpTrigger1' (Reason='This function was programmatically called via the host APIs.', Id=" + id + ")")
	j.info("C# HTTP trigger function processed a request.")
	d := h.Policy.Decide(body)
	if d.Fault == "" || json.Valid(body) {
		j.info("Request.Body:...")
		j.show(body)
	}
	if d.Found != "" {
		j.show([]byte(d.Found))
	}
	result, level := "Failed", failure
	if d.Fault != "" {
		j.line(level, d.Fault)
	} else {
		result, level = "Succeeded", information
		j.info("\nResponse")
		j.show(d.Body)
	}
	at := h.Now()
	j.lineAt(at, level, fmt.Sprintf("Executed 'Functions.HttpTrigger1' (%s, Id=%s, Duration=%dms)", result, id, at.Sub(start).Milliseconds()))
	h.write(j.text.Bytes())
	return d
}

func (h *handler) write(text []byte) {
	if h.Log == nil {
		return
	}
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	h.Log.Write(text) // a log that cannot be written must not fail an allocation
}

const (
	information = "Information"
	failure     = "Error"

	journalTime = "2006-01-02T15:04:05.000"
)

// journal gathers the lines of one call, so that those of two never mix.
type journal struct {
	now    func() time.Time
	silent bool
	text   bytes.Buffer
}

func (j *journal) info(text string) { j.line(information, text) }

// show logs text that came from outside.
func (j *journal) show(text []byte) {
	if !j.silent {
		j.info(wording.Printable(string(text)))
	}
}

func (j *journal) line(level, text string) {
	if !j.silent {
		j.lineAt(j.now(), level, text)
	}
}

// lineAt leaves no blank at the end of a line: one of the function's texts
// begins with a new line.
func (j *journal) lineAt(at time.Time, level, text string) {
	if j.silent {
		return
	}
	j.text.WriteString(at.UTC().Format(journalTime) + " [" + level + "]")
	if text != "" && text[0] != '\n' {
		j.text.WriteByte(' ')
	}
	j.text.WriteString(text + "\n")
}

// newID is a random GUID (RFC 9562, version 4).
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: it ends the program instead
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
