package metrics_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// A run of a moment may be held up for one, as others for 1 % of theirs.
func TestHowLongTheRecorderMayBlock(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		took, blocked time.Duration
		valid         bool
	}{
		{90 * ms, 18 * ms, true},
		{90 * ms, 100 * ms, true},
		{90 * ms, 101 * ms, false},
		{10 * time.Second, 101 * ms, false},
		{time.Hour, 36 * time.Second, true},
		{time.Hour, 37 * time.Second, false},
	} {
		c := collector(t, metrics.RunInfo{Started: start})
		play(c, born("f", "a", start).online(toastersHub, `{}`))
		r := c.Report(start.Add(test.took), metrics.End{Blocked: metrics.Millis(test.blocked)})
		if r.Run.Health.Valid() != test.valid {
			t.Errorf("blocked for %v of %v: %q", test.blocked, test.took, r.Run.Health.Limits)
		}
	}
}

func TestReconciliation(t *testing.T) {
	told := func(id, operation string, a device.Assignment) *life {
		a.OperationID = operation
		return born("f", id, start).registering().to(device.Off, time.Second, verdict(a))
	}
	toToasters := device.Assignment{Status: provisioning.Assigned, Hub: toastersHub, DeviceID: "a"}
	again := decided("a", heatpumpsHub, "")
	again.OperationID = "op-later"
	tests := []struct {
		name string
		run  func(*metrics.Collector)
		want metrics.Reconciliation
	}{
		{"Agree", func(c *metrics.Collector) { playContoso(c, 3, 2, 1) }, metrics.Reconciliation{Assigned: 5, Failed: 1}},
		{"OtherHub", func(c *metrics.Collector) {
			play(c, told("a", "op-a", toToasters), decided("a", heatpumpsHub, ""))
		}, metrics.Reconciliation{Differing: 1, Differences: []metrics.Difference{
			{ID: "a", Device: "assigned to " + toastersHub, Cloud: "assigned to " + heatpumpsHub},
		}}},
		{"OtherCode", func(c *metrics.Collector) {
			play(c, born("f", "a", start).failed(400207), refused("a", 400208))
		}, metrics.Reconciliation{Differing: 1, Differences: []metrics.Difference{
			{ID: "a", Device: "failed with 400207 CustomAllocationFailed", Cloud: "failed with 400208 CustomAllocationIotHubNotSpecified"},
		}}},
		{"CloudKnowsNothing", func(c *metrics.Collector) { play(c, told("a", "op-a", toToasters)) },
			metrics.Reconciliation{Differing: 1, Differences: []metrics.Difference{{ID: "a", Device: "assigned to " + toastersHub, Cloud: "nothing"}}}},
		{"NeverTold", func(c *metrics.Collector) {
			play(c, born("f", "a", start).registering().to(device.Failed, time.Minute), decided("a", toastersHub, ""))
		}, metrics.Reconciliation{NeverTold: 1}},
		{"DecidedAgainAndNeverTold", func(c *metrics.Collector) {
			play(c, told("a", "op-a", toToasters), decided("a", toastersHub, ""))
			c.Exchange(again)
		}, metrics.Reconciliation{NeverTold: 1}},
		{"ToldAgain", func(c *metrics.Collector) {
			play(c, told("a", "op-a", toToasters), decided("a", toastersHub, ""))
			second := told("A", "op-later", device.Assignment{Status: provisioning.Assigned, Hub: heatpumpsHub, DeviceID: "a"})
			for i := range second.events {
				second.events[i].Boot = 2
			}
			play(c, second, again)
		}, metrics.Reconciliation{Assigned: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := collector(t, metrics.RunInfo{Ours: true})
			test.run(c)
			c.Finish(start)
			r := c.Report(start, metrics.End{})
			test.want.Checked = true
			if got := fmt.Sprintf("%+v", r.Run.Reconciliation); got != fmt.Sprintf("%+v", test.want) {
				t.Errorf("%s\nwant %+v", got, test.want)
			}
			if r.Passed() && test.want.Differing > 0 {
				t.Error("a difference passed")
			}
		})
	}
}

func TestExitCodeIsTheFirstThatHolds(t *testing.T) {
	online := func(late time.Duration) func(*metrics.Collector) {
		return func(c *metrics.Collector) {
			l := born("f", "a", start).to(device.Dialing, late)
			l.to(device.Securing, 0).to(device.Registering, 0).to(device.Assigning, 0).
				to(device.Joining, 6*time.Second, assignedTo(toastersHub, "a")).to(device.Twinning, 0).to(device.Online, 0)
			play(c, l)
		}
	}
	failed := func(c *metrics.Collector) { play(c, born("f", "a", start).failed(400207)) }
	dropped := func(c *metrics.Collector) { play(c, born("f", "a", start).to(device.Dropped, 0)) }
	tests := []struct {
		name    string
		run     func(*metrics.Collector)
		end     metrics.End
		code    int
		verdict string
	}{
		{"Met", online(time.Millisecond), metrics.End{Due: 1}, metrics.ExitMet, "PASS  VALID"},
		{"Unmet", failed, metrics.End{}, metrics.ExitUnmet, "FAIL  VALID"},
		{"DroppedForOurLimit", dropped, metrics.End{}, metrics.ExitLimited, "FAIL  GENERATOR-LIMITED"},
		{"Late", online(1001 * time.Millisecond), metrics.End{}, metrics.ExitLimited, "PASS  GENERATOR-LIMITED"},
		{"LateWithinASecond", online(time.Second), metrics.End{}, metrics.ExitMet, "PASS  VALID"},
		{"RecorderBlocked", online(0), metrics.End{Blocked: metrics.Millis(601 * time.Millisecond)}, metrics.ExitLimited, "PASS  GENERATOR-LIMITED"},
		{"RecorderBlockedALittle", online(0), metrics.End{Blocked: metrics.Millis(600 * time.Millisecond)}, metrics.ExitMet, "PASS  VALID"},
		{"Interrupted", failed, metrics.End{Interrupted: true}, metrics.ExitInterrupted, "INTERRUPTED  VALID"},
		{"NotAccountedFor", online(0), metrics.End{Due: 2}, metrics.ExitUnmet, "FAIL  VALID"},
		{"FaultTouchedNothing", online(0), metrics.End{Faults: []string{"fault 1 touched nothing"}}, metrics.ExitUnmet, "FAIL  VALID"},
		{"Stopped", online(0), metrics.End{Stopped: "stopped after 3 s"}, metrics.ExitUnmet, "FAIL  VALID"},
		{"NothingDue", func(*metrics.Collector) {}, metrics.End{}, metrics.ExitUnmet, "FAIL  VALID"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := collector(t, metrics.RunInfo{})
			test.run(c)
			r := c.Report(start.Add(time.Minute), test.end)
			if r.ExitCode() != test.code || r.Verdict() != test.verdict || r.Run.ExitCode != test.code {
				t.Errorf("%d %s, want %d %s: %v %v", r.ExitCode(), r.Verdict(), test.code, test.verdict, r.Failures, r.Run.Health)
			}
		})
	}
}

func TestMisconfigured(t *testing.T) {
	refuse := func(cause device.Cause) func(*device.Event) {
		return func(e *device.Event) {
			e.Err = &device.Failure{Outcome: device.OutcomeUnreachable, Cause: cause, Err: errors.New("dial: refused")}
		}
	}
	boots := func(n int, cause device.Cause) func(*metrics.Collector) {
		return func(c *metrics.Collector) {
			for i := range n {
				play(c, born("f", fmt.Sprint(cause, i), start).to(device.Dialing, 0).to(device.Failed, 0, refuse(cause)))
			}
		}
	}
	both := func(a, b func(*metrics.Collector)) func(*metrics.Collector) {
		return func(c *metrics.Collector) { a(c); b(c) }
	}
	good := func(c *metrics.Collector) { play(c, born("f", "good", start).online(toastersHub, `{}`)) }
	finish := func(c *metrics.Collector) { c.Finish(start) }
	tests := []struct {
		name   string
		run    func(*metrics.Collector)
		expect string
		want   bool
	}{
		{"FirstTwenty", boots(20, device.CauseDialRefused), `[]`, true},
		{"TooFewYet", boots(19, device.CauseDialRefused), `[]`, false},
		{"AllOfFew", both(boots(3, device.CauseDialRefused), finish), `[]`, true},
		{"OneSucceeded", both(good, boots(30, device.CauseDialRefused)), `[]`, false},
		{"Later", both(boots(20, device.CauseDialRefused), good), `[]`, true},
		{"TwoCauses", both(boots(10, device.CauseDialRefused), boots(10, device.CauseUntrusted)), `[]`, false},
		{"NoCause", boots(20, ""), `[]`, false},
		{"Expected", boots(20, device.CauseDialRefused), `{"outcome":"unreachable"}`, false},
		{"NoBoots", finish, `[]`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := collector(t, metrics.RunInfo{Fleets: []metrics.Fleet{{Name: "f", Expect: expectations(t, test.expect)}}})
			test.run(c)
			cause, why, ok := c.Misconfigured()
			if ok != test.want || ok && (cause != device.CauseDialRefused || why != "dial: refused") {
				t.Errorf("%v %q %q, want %v", ok, cause, why, test.want)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	c := collector(t, contoso(t))
	playContoso(c, 4, 0, 0)
	c.Event(born("heatpumps", "x", start).registering().events[0])
	p := c.Progress(start.Add(2 * time.Second))
	if p.Planned != 1000 || p.Due != 5 || p.Ended != 4 || p.Rate != 2 || p.Stages[device.Dialing] != 1 || p.Stages[device.Online] != 4 {
		t.Errorf("%+v", p)
	}
	online := metrics.Stages{device.Online: 4}
	if f := p.Fleets[0]; f != (metrics.FleetProgress{Name: "toasters", Planned: 700, Due: 4, Ended: 4, Assigned: 4, Stages: online}) {
		t.Errorf("%+v", f)
	}
	if p := c.Progress(start.Add(3 * time.Second)); p.Rate != 0 {
		t.Errorf("rate %v, want that since the last", p.Rate)
	}
}

func TestWhatIsLeftIsReckonedFromTheFirstThatEnded(t *testing.T) {
	c := collector(t, contoso(t))
	for second := range 7 {
		if p := c.Progress(start.Add(time.Duration(second) * time.Second)); p.Recent != 0 || p.Left != 0 {
			t.Fatalf("after %d s, and none has ended: %v/s, %v left", second, p.Recent, p.Left)
		}
	}
	playContoso(c, 100, 0, 0)
	if p := c.Progress(start.Add(8 * time.Second)); p.Recent != 50 || p.Left != 18*time.Second {
		t.Errorf("after two seconds in which 100 of 1,000 ended %v/s, %v left", p.Recent, p.Left)
	}
}

func TestPlacesAreBounded(t *testing.T) {
	c := collector(t, metrics.RunInfo{})
	for i := range 500 {
		play(c, born("f", fmt.Sprint(i), start).online(fmt.Sprintf("hub%d", i), `{}`))
	}
	places := c.Report(start, metrics.End{}).Fleets[0].Places
	if len(places) > 101 || places[0].Name != "other" || places[0].Count != 400 {
		t.Errorf("%d places, first %+v", len(places), places[0])
	}
}

func TestFailuresAreKeptLongest(t *testing.T) {
	c := collector(t, metrics.RunInfo{Fleets: []metrics.Fleet{{Name: "f", Expect: expectations(t, `{"hub":"other"}`)}}})
	for i := range 30 {
		play(c, born("f", fmt.Sprint("assigned", i), start).online(toastersHub, `{}`))
	}
	play(c, born("f", "failed", start).failed(400207))
	kept := c.Report(start, metrics.End{}).Unexpected
	var names []string
	for _, b := range kept {
		names = append(names, b.ID)
	}
	if len(kept) != 10 || !strings.Contains(strings.Join(names, " "), "failed") {
		t.Errorf("kept %v", names)
	}
}
