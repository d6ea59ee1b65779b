package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// Explain writes the story of one boot on a page: how it ended, whether that was
// expected, its life, the webhook's calls and what it was given. The error is
// w's.
func Explain(w io.Writer, b metrics.Boot, opts Options) error {
	p := &page{opts: opts}
	p.printf("%s  fleet %s, model %s, boot %d\n", p.paint(bold, clean(b.ID)), orDash(b.Fleet), orDash(b.Model), b.Boot)
	p.ending(b)
	p.printf("due %s, over after %v; polls %d, retries %d\n\n", b.Due.Format(time.RFC3339Nano), b.Took(), b.Polls, b.Retries)
	p.printf("%s\n\n", Life(b))
	p.stages(b)
	for _, a := range b.Allocations {
		p.allocation(a)
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
		steps = append(steps, metrics.Millis(e.In).String()+" "+to)
	}
	return strings.Join(steps, "; ")
}

func (p *page) stages(b metrics.Boot) {
	rows := [][]string{{"at", "for", "", "stage"}}
	var at metrics.Millis
	for _, s := range b.Stages {
		stage := s.Stage.String()
		if s.Stage == device.Off {
			stage = "late"
		}
		if s.Why != "" {
			stage += ": " + clean(s.Why)
		}
		rows = append(rows, []string{at.String(), s.Took.String(), "", stage})
		at += s.Took
	}
	p.table(rows)
}

func (p *page) allocation(a metrics.Allocation) {
	answer := "no answer"
	if a.Status != 0 {
		answer = fmt.Sprint(a.Status)
	}
	p.printf("\nwebhook call %d at %v, %v: %s", a.Attempt, a.At, a.Took, answer)
	if a.Hub != "" {
		p.printf(" %s", clean(a.Hub))
	}
	if a.Err != "" {
		p.printf(" %s", clean(a.Err))
	}
	p.printf("\n")
	if a.Request != "" {
		p.printf("  asked    %s\n", clean(a.Request))
	}
	if a.Response != "" {
		p.printf("  answered %s\n", clean(a.Response))
	}
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
