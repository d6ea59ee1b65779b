package metrics_test

import (
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// A boot that never asked DPS has a hub and no time to it, and nothing to reconcile.
func TestCachedBootHasAHubAndNoVerdict(t *testing.T) {
	var report metrics.Report
	boots, _ := logged(t, contoso(t), func(c *metrics.Collector) {
		play(c, knowing(toastersHub, "a").twin())
		report = c.Report(start.Add(time.Second), metrics.End{})
	})
	b := boots[0]
	if b.Outcome != device.OutcomeAssigned || b.Hub != toastersHub || b.Cached != toastersHub || b.Verdict != "" {
		t.Errorf("boot %+v", b)
	}
	if _, ok := b.TimeToAssigned(); ok {
		t.Error("it has a time to assigned")
	}
	if took, ok := b.TimeToOnline(); !ok || took.Duration() != 26*time.Millisecond {
		t.Errorf("time to online %v, %v", took.Duration(), ok)
	}
	if rec := report.Run.Reconciliation; !rec.Checked || rec.Differing != 0 || rec.NeverTold != 0 || rec.Assigned != 0 {
		t.Errorf("reconciliation %+v", rec)
	}
	if places := report.Fleets[0].Places; len(places) != 1 || places[0].Name != toastersHub {
		t.Errorf("places %+v", places)
	}
}

// Every boot of a device is one line, whatever the one before it was.
func TestBootsOfOneDeviceAreALineEach(t *testing.T) {
	boots, _ := logged(t, contoso(t), func(c *metrics.Collector) {
		first := born("toasters", "a", start).online(toastersHub, `{}`).to(device.Off, time.Minute)
		second := knowing(toastersHub, "a")
		second.Boot = 2
		for i := range second.events {
			second.events[i].Boot = 2
		}
		play(c, first)
		play(c, second.twin().to(device.Off, 0))
	})
	if len(boots) != 2 || boots[0].Boot != 1 || boots[1].Boot != 2 || boots[0].Cached != "" || boots[1].Cached != toastersHub {
		t.Errorf("boots %+v", boots)
	}
}

// Who asks DPS does not believe in the hub that it knew any more.
func TestCachedHubIsForgottenAtDPS(t *testing.T) {
	boots, _ := logged(t, contoso(t), func(c *metrics.Collector) {
		play(c, knowing(toastersHub, "a").to(device.Dialing, time.Second).failed(400207))
	})
	if b := boots[0]; b.Hub != "" || b.Cached != toastersHub || b.Code != 400207 {
		t.Errorf("boot %+v", b)
	}
}
