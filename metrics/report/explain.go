package report

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// Explain writes the story of one boot on a page, from both ends: how it ended
// and why, whether that was expected, what device and webhook did in the order of
// time, and what the device was given. run is the run that it was of, as far as
// that is known. The error is w's.
func Explain(w io.Writer, b metrics.Boot, run metrics.RunInfo, opts Options) error {
	p := &page{opts: opts}
	p.printf("%s  fleet %s, model %s, boot %d\n", p.paint(bold, clean(b.ID)), orDash(b.Fleet), orDash(b.Model), b.Boot)
	p.ending(b)
	if b.Cached != "" {
		p.printf("it knew %s from an earlier boot and asked there first\n", clean(b.Cached))
	}
	if cause, ok := LikelyCause(b); ok {
		p.printf("likely: %s\n        %s\n", clean(cause.Why), clean(cause.Do))
	}
	p.printf("due %s, over after %v; polls %d, retries %d\n\n", b.Due.Format(time.RFC3339Nano), b.Took(), b.Polls, b.Retries)
	p.printf("%s\n\n", Life(b))
	p.table(history(b))
	if unseen := unseen(b, run); unseen != "" {
		p.printf("\n%s\n", unseen)
	}
	p.raw("returned payload", b.Payload)
	p.raw("desired properties", b.Desired)
	p.raw("tags", b.Tags)
	return p.writeTo(w)
}

func (p *page) ending(b metrics.Boot) {
	p.printf("%s %s", p.mark(b.Met), b.Outcome)
	if b.Hub != "" {
		p.printf("  %s", clean(b.Hub))
	}
	if b.DeviceID != "" && b.DeviceID != b.ID {
		p.printf("  as %s", clean(b.DeviceID))
	}
	if b.Substatus != "" {
		p.printf("  %s", clean(b.Substatus))
	}
	if b.Code != 0 {
		p.printf("  %v", b.Code)
	}
	if b.Result != "" {
		p.printf("  %s", b.Result)
	}
	p.printf("\n")
	if b.Error != "" {
		p.printf("  %s\n", clean(b.Error))
	}
	if b.Expected != "" {
		p.printf("expected %s", clean(b.Expected))
		if b.Unmet != "" {
			p.printf("; but %s", clean(b.Unmet))
		}
		p.printf("\n")
	}
}

// Life is a boot on one line: each stage that the device entered, after how long
// in the one before.
func Life(b metrics.Boot) string {
	var steps []string
	for _, e := range b.Events() {
		to := e.To.String()
		if e.To == device.Off || e.To == device.Failed {
			to = string(b.Outcome)
		}
		steps = append(steps, metrics.Millis(e.In).String()+" → "+to)
	}
	return strings.Join(steps, "; ")
}

func (p *page) raw(what string, raw json.RawMessage) {
	if len(raw) > 0 {
		p.printf("\n%s\n  %s\n", what, clean(string(raw)))
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return clean(text)
}
