package report

import (
	"encoding/json"
	"fmt"
	"strconv"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

func checked(ok bool) check {
	if ok {
		return check{Class: "good", State: "met"}
	}
	return check{Class: "bad", State: "missed"}
}

func thresholdCheck(t metrics.ThresholdResult) check {
	c := checked(t.Met)
	c.Text, c.Observed = line(t.Threshold.String()), t.Text
	return c
}

func expectationCheck(e metrics.ExpectationResult) check {
	c := checked(e.Passed)
	c.Of, c.Text = line(e.Fleet), line(e.Expectation)
	c.Observed = thousands(e.Met) + " of " + thousands(e.Of)
	if e.Share != "" {
		c.Observed += ", asked for " + line(e.Share)
	}
	if e.TagsUnchecked {
		c.Observed += "; tags not checked, the cloud is not ours"
	}
	return c
}

func reconciled(r metrics.Reconciliation) check {
	switch {
	case !r.Checked:
		return check{Class: "plain", State: "not checked", Text: "The cloud is not ours, or its end of the story is not known."}
	case r.Differing == 0:
		return check{Class: "good", State: "agree", Text: tally(r)}
	}
	return check{Class: "bad", State: "differ", Text: "on " + thousands(r.Differing) + "; they agree on " + tally(r)}
}

func viewOfFleet(f metrics.FleetReport) fleetView {
	ended := 0
	for _, n := range f.Outcomes {
		ended += n
	}
	v := fleetView{Name: line(f.Name), Due: thousands(f.Due), Ended: thousands(ended)}
	for i, p := range f.Places {
		if i == maxShown {
			v.More = "and " + thousands(len(f.Places)-maxShown) + " places more"
			break
		}
		share := float64(p.Count) / float64(max(1, ended))
		place := placeView{
			Name: line(p.Name), Count: thousands(p.Count), Share: percent(share), Width: place(max(share*100, 0.5)),
			Class: "good", Remark: remark(p),
		}
		if p.Unexpected > 0 {
			place.Class = "bad"
		}
		v.Places = append(v.Places, place)
	}
	return v
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }

// story is one boot as the page tells it.
type story struct {
	ID, About      string
	Class, Outcome string
	Lines          []figure
	Bars           []bar
	Stages         []stageView
	Calls          []call
}

type stageView struct{ Class, Name, Took, Why string }

type call struct{ About, Asked, Answered string }

func storiesOf(boots []metrics.Boot, of int) stories {
	s := stories{}
	for _, b := range boots {
		s.Boots = append(s.Boots, storyOf(b))
	}
	if of > len(boots) {
		s.Of = fmt.Sprintf("%s of %s; the log has all.", thousands(len(boots)), thousands(of))
	}
	return s
}

func storyOf(b metrics.Boot) story {
	s := story{ID: line(b.ID), Class: checked(b.Met).Class, Outcome: string(b.Outcome)}
	if b.Code != 0 {
		s.Outcome += " " + b.Code.String()
	}
	s.About = fmt.Sprintf("fleet %s, model %s, boot %d, over after %v", orDash(cut(b.Fleet, maxLine)), orDash(cut(b.Model, maxLine)), b.Boot, b.Took())
	s.say("Hub", b.Hub)
	s.say("Expected", b.Expected)
	s.say("But", b.Unmet)
	s.say("Told", b.Error)
	s.Stages, s.Bars = stagesOf(b)
	for i, a := range b.Allocations {
		if i == maxCalls {
			s.Calls = append(s.Calls, call{About: fmt.Sprintf("and %d calls more", len(b.Allocations)-maxCalls)})
			break
		}
		s.Calls = append(s.Calls, callOf(a))
	}
	s.raw("Returned payload", b.Payload)
	s.raw("Desired properties", b.Desired)
	s.raw("Tags", b.Tags)
	return s
}

func (s *story) say(name, text string) {
	if text != "" {
		s.Lines = append(s.Lines, figure{name, line(text)})
	}
}

func (s *story) raw(name string, raw json.RawMessage) {
	if len(raw) > 0 {
		s.Lines = append(s.Lines, figure{name, body(raw)})
	}
}

// stagesOf are a boot's stages in words, and as parts of a bar of 100.
func stagesOf(b metrics.Boot) (stages []stageView, bars []bar) {
	total := max(float64(b.Took()), 1)
	at := 0.0
	for i, st := range b.Stages {
		width := float64(st.Took) / total * 100
		class := "stage-" + st.Stage.String()
		bars = append(bars, bar{X: place2(at), Width: place2(max(width, 0.3)), Class: class})
		at += width
		if i >= maxStory {
			continue // the bar has it
		}
		stages = append(stages, stageView{class, stageName(st.Stage), st.Took.String(), line(st.Why)})
	}
	if len(bars) > 20*maxStory {
		bars = bars[:20*maxStory]
	}
	if more := len(b.Stages) - maxStory; more > 0 {
		stages = append(stages, stageView{"stage-" + device.Off.String(), fmt.Sprintf("and %d more", more), "", ""})
	}
	return stages, bars
}

// place2 is a part of 100, exact to a hundredth.
func place2(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func callOf(a metrics.Allocation) call {
	answer := "no answer"
	if a.Status != 0 {
		answer = fmt.Sprint(a.Status)
	}
	about := fmt.Sprintf("Webhook call %d at %v, %v: %s", a.Attempt, a.At, a.Took, answer)
	for _, text := range []string{a.Hub, a.Err} {
		if text != "" {
			about += " " + line(text)
		}
	}
	return call{about, body([]byte(a.Request)), body([]byte(a.Response))}
}
