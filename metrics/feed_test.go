package metrics_test

import (
	"slices"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// A fold is fed what the collector sees, in its order: a boot once and judged, a
// last tick when all have ended, and the report after that.
func TestFoldSeesWhatTheCollectorSees(t *testing.T) {
	var saw []string
	fold := metrics.Fold{
		Start:    func(info metrics.RunInfo) { saw = append(saw, "start "+info.Scenario) },
		Event:    func(e *device.Event) { saw = append(saw, e.To.String()) },
		Exchange: func(x *provisioning.Exchange) { saw = append(saw, string(x.Kind)) },
		Boot: func(b *metrics.Boot) {
			saw = append(saw, "boot "+string(b.Outcome)+map[bool]string{true: " met", false: " unmet"}[b.Met])
		},
		Tick: func(p metrics.Progress, c *metrics.Collector) {
			if p.Fleets[0].Stages[device.Online] != 1 || len(c.Thresholds()) != 3 {
				t.Errorf("%+v, %d thresholds", p, len(c.Thresholds()))
			}
			saw = append(saw, "tick")
		},
		End: func(r metrics.Report) { saw = append(saw, "end "+r.Run.Verdict) },
	}
	c, err := metrics.NewCollector(contoso(t), nil, metrics.Fold{}, fold)
	if err != nil {
		t.Fatal(err)
	}
	const id = "breakroom001-contoso-tstrsd-007"
	play(c, born("toasters", id, start).online(toastersHub, `{"state":"ready"}`), allocated(id, 200, toastersHub), decided(id, toastersHub, `{"deviceType":"toaster"}`))
	c.Finish(start.Add(time.Minute))
	c.Report(start.Add(time.Minute), metrics.End{})
	want := []string{
		"start contoso-mixed", "dialing", "securing", "registering", "assigning", "joining", "twinning",
		"allocate", "verdict", "online", "boot assigned met", "tick", "end FAIL  VALID",
	}
	if !slices.Equal(saw, want) {
		t.Errorf("saw  %q\nwant %q", saw, want)
	}
}

func TestNobodyToFeedCostsNothing(t *testing.T) {
	c := collector(t, contoso(t))
	e := born("toasters", "x", start).to(device.Dialing, time.Millisecond).Event
	e.To = device.Waiting
	c.Event(e)
	without := testing.AllocsPerRun(100, func() { c.Exchange(provisioning.Exchange{RegistrationID: "x"}) })
	if without != 0 {
		t.Errorf("%v allocations for an exchange that nobody but the collector takes", without)
	}
}
