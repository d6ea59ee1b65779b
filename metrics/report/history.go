package report

import (
	"cmp"
	"fmt"
	"slices"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// step is one thing that happened: a stage of the device's life, or a call of the
// webhook.
type step struct {
	at, took metrics.Millis
	moment   bool // it took no time
	who      string
	text     string
	more     []string // lines below it
}

// history is what both sides did, in the order of time, as the rows of a table.
func history(b metrics.Boot) [][]string {
	steps := stages(b)
	for _, a := range b.Allocations {
		steps = append(steps, called(a))
	}
	slices.SortStableFunc(steps, func(x, y step) int { return cmp.Compare(x.at, y.at) })
	rows := [][]string{{"at", "for", "", "what"}}
	for _, s := range steps {
		took := s.took.String()
		if s.moment {
			took = ""
		}
		rows = append(rows, []string{s.at.String(), took, fmt.Sprintf("%-6s", s.who), s.text})
		for _, line := range s.more {
			rows = append(rows, []string{"", "", "", line})
		}
	}
	return rows
}

func stages(b metrics.Boot) []step {
	var steps []step
	var at metrics.Millis
	sent := len(b.Sent) == 0
	verdict := lastOf(b, device.Assigning)
	for i, s := range b.Stages {
		step := step{at: at, took: s.Took, who: "device", text: s.Stage.String()}
		if s.Stage == device.Off {
			step.text = "late"
		}
		if s.Resumed {
			step.text += ", an earlier TLS session taken up"
		}
		if s.Why != "" {
			step.text += ": " + clean(s.Why)
		}
		if s.Stage == device.Registering && !sent {
			step.more, sent = append(step.more, "  sent     "+clean(string(b.Sent))), true
		}
		steps = append(steps, step)
		at += s.Took
		if i == verdict && b.Verdict != "" {
			steps = append(steps, stepAt(at, "device", "was told "+told(b)))
		}
	}
	return steps
}

func stepAt(at metrics.Millis, who, text string) step {
	return step{at: at, moment: true, who: who, text: text}
}

// lastOf is the index of the last visit to a stage; below 0 if there was none.
func lastOf(b metrics.Boot, stage device.Stage) int {
	for i := len(b.Stages) - 1; i >= 0; i-- {
		if b.Stages[i].Stage == stage {
			return i
		}
	}
	return -1
}

// told is DPS's verdict as the device heard it.
func told(b metrics.Boot) string {
	text := string(b.Verdict)
	if b.Verdict == provisioning.Assigned {
		text += " " + clean(b.Hub)
		if b.DeviceID != "" {
			text += " as " + clean(b.DeviceID)
		}
		return text
	}
	if b.Code != 0 {
		text += " " + b.Code.String()
	}
	if b.Error != "" {
		text += ": " + clean(b.Error)
	}
	return text
}

func called(a metrics.Allocation) step {
	s := step{at: a.At, took: a.Took, who: "cloud", text: fmt.Sprintf("webhook call %d ", a.Attempt)}
	if a.Status == 0 {
		s.text += "got no answer"
	} else {
		s.text += fmt.Sprintf("answered %d", a.Status)
	}
	if a.Hub != "" {
		s.text += " " + clean(a.Hub)
	}
	if a.Err != "" {
		s.text += ": " + clean(a.Err)
	}
	if a.Request != "" {
		s.more = append(s.more, "  asked    "+clean(a.Request))
	}
	if a.Response != "" {
		s.more = append(s.more, "  answered "+clean(a.Response))
	}
	return s
}

// unseen says which part of the story nobody saw.
func unseen(b metrics.Boot, run metrics.RunInfo) string {
	bodies := slices.ContainsFunc(b.Allocations, func(a metrics.Allocation) bool { return a.Request != "" })
	switch {
	case len(b.Allocations) > 0 && !bodies:
		return "bodies are kept of calls that failed and of boots that were not expected; --record keeps them all"
	case len(b.Allocations) > 0:
		return ""
	case run.Ours || run.Direct:
		return "no webhook was called for it"
	case run.Target != "":
		return "the cloud is not ours, so what it did, and what its webhook was asked and answered, was not seen"
	}
	return "what the cloud did is not known: the log has no call of a webhook, and there is no X.run.json beside it"
}
