package device_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
)

func cached(d *device.Device, _ *device.Target) {
	d.Cached = &device.Assignment{Hub: hubName, DeviceID: d.ID}
	d.Backoff = device.NaiveBackoff() // pauses to the moment
}

// A device that knows its hub asks that first, and DPS only where the hub does not
// want it, or cannot be reached for as long as Microsoft says.
func TestBootWithACachedAssignment(t *testing.T) {
	refusedTwin := func(status int) []reply { return []reply{{status: status, body: `{}`}, twin} }
	tests := []struct {
		name    string
		cloud   func(*script)
		changes []change
		life    string
		outcome device.Outcome // empty is none: it was a success
	}{
		{
			name: "HubTakesIt",
			life: "0s joining; 0s twinning; 0s online; 0s off",
		},
		{
			name:  "Connack5GoesToDPS",
			cloud: func(s *script) { s.hub = []byte{5, 0} },
			life:  "0s joining; 0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 6s off",
		},
		{
			name:  "Connack4GoesToDPS",
			cloud: func(s *script) { s.hub = []byte{4, 0} },
			life:  "0s joining; 0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 6s off",
		},
		{
			name:  "TwinNotFoundGoesToDPS",
			cloud: func(s *script) { s.twins = refusedTwin(404) },
			life:  "0s joining; 0s twinning; 0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 6s off",
		},
		{
			name:  "Connack3StaysAtTheHubBeyondTheAttempts",
			cloud: func(s *script) { s.hub = []byte{3, 3, 3, 3, 3, 0} },
			life: "0s joining; 0s waiting; 1s joining; 1s waiting; 2s joining; 2s waiting; 3s joining; 3s waiting; 4s joining; 4s waiting; " +
				"5s joining; 5s twinning; 5s online; 5s off",
		},
		{
			name:  "TwinBrokenOnceStaysAtTheHub",
			cloud: func(s *script) { s.twins = refusedTwin(500) },
			life:  "0s joining; 0s twinning; 0s waiting; 1s joining; 1s twinning; 1s online; 1s off",
		},
		{
			name:    "UnavailableForLongGoesToDPS",
			cloud:   func(s *script) { s.hub = []byte{3, 3, 3, 0} },
			changes: []change{func(_ *device.Device, target *device.Target) { target.Limits.Reprovision = 2 * time.Second }},
			life: "0s joining; 0s waiting; 1s joining; 1s waiting; 2s joining; 2s dialing; 2s registering; 2s assigning; " +
				"8s joining; 8s twinning; 8s online; 8s off",
		},
		{
			name:    "WhomDPSSendsToTheSameHubIsRefusedForGood",
			cloud:   func(s *script) { s.hub = []byte{5} },
			life:    "0s joining; 0s dialing; 0s registering; 0s assigning; 6s joining; 6s failed",
			outcome: device.OutcomeRefused,
		},
		{
			name:    "BootTimeEndsTheRetries",
			cloud:   func(s *script) { s.hub = []byte{3} },
			changes: []change{func(_ *device.Device, target *device.Target) { target.Limits.Boot = 1500 * time.Millisecond }},
			life:    "0s joining; 0s waiting; 1s joining; 1s waiting; 1.5s failed",
			outcome: device.OutcomeTimeout,
		},
		{
			name:    "UntilAssignedIsAboutDPS",
			changes: []change{func(d *device.Device, _ *device.Target) { d.Until = device.UntilAssigned }},
			life:    "0s dialing; 0s registering; 0s assigning; 6s off",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := good()
				if test.cloud != nil {
					test.cloud(s)
				}
				b := play(t, t.Context(), s, slices.Concat([]change{cached}, test.changes)...)
				if b.life != test.life {
					t.Errorf("life\n got %s\nwant %s", b.life, test.life)
				}
				if test.outcome != "" && b.failure(t).Outcome != test.outcome {
					t.Errorf("ended as %s, want %s", b.failure(t).Outcome, test.outcome)
				}
			})
		})
	}
}

// The first event says which hub the device believes in, and claims no verdict.
func TestCachedAssignmentIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := play(t, t.Context(), good(), cached)
		a := b.events[0].Assignment
		if a == nil || a.Hub != hubName || a.DeviceID != "breakroom1-contoso-tstrsd-007" || a.Status != "" {
			t.Errorf("left Off with %+v", a)
		}
		if connect := b.seen[0]; !strings.HasPrefix(connect, "CONNECT "+hubName+"/breakroom1-contoso-tstrsd-007/") {
			t.Errorf("first said %s", connect)
		}
	})
}

// Why the device went back to DPS is on the event that says so.
func TestWhyADeviceAsksAgainIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := good()
		s.hub = []byte{5, 0}
		b := play(t, t.Context(), s, cached)
		var f *device.Failure
		if e := b.events[1]; e.To != device.Dialing || !errors.As(e.Err, &f) || f.Outcome != device.OutcomeRefused {
			t.Errorf("went from %s to %s with %v", e.From, e.To, e.Err)
		}
	})
}

// A device that was online and is not wanted any more asks DPS again; the time that
// it was to stay goes on.
func TestDeviceThatItsHubForgetsRegistersAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := good()
		s.hub = []byte{0, 5, 0}
		s.pushes = []push{{after: 10 * time.Second, topic: hangUpTopic}}
		b := play(t, t.Context(), s, stays(30*time.Second, 0), func(d *device.Device, _ *device.Target) { d.Backoff = device.NaiveBackoff() })
		const life = "0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; " +
			"16s waiting; 17s joining; 17s dialing; 17s registering; 17s assigning; 20s joining; 20s twinning; 20s online; " +
			"30s waiting; 31s joining; 31s twinning; 31s online; 36s off"
		if b.life != life {
			t.Errorf("life\n got %s\nwant %s", b.life, life)
		}
	})
}

// A hub that is gone for good does not keep a device beyond the time that it was to
// stay.
func TestDeviceWhoseHubIsGoneLeavesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := good()
		s.hub = []byte{0, 3}
		s.pushes = []push{{after: 10 * time.Second, topic: hangUpTopic}}
		b := play(t, t.Context(), s, stays(20*time.Second, 0), func(d *device.Device, _ *device.Target) { d.Backoff = device.NaiveBackoff() })
		if !strings.HasSuffix(b.life, "25s joining; 25s waiting; 26s off") {
			t.Errorf("life %s", b.life)
		}
	})
}

// What Run returns is what the next boot can start from.
func TestWhatADeviceKeepsForItsNextBoot(t *testing.T) {
	tests := map[string]struct {
		cloud   func(*script)
		changes []change
		hub     string
	}{
		"what DPS said":                                  {hub: hubName},
		"what it knew":                                   {changes: []change{cached}, hub: hubName},
		"nothing, where DPS failed it":                   {cloud: func(s *script) { s.polls = []reply{failed(400207)} }},
		"nothing, where its hub refused it":              {cloud: func(s *script) { s.hub, s.polls = []byte{5}, []reply{failed(400207)} }, changes: []change{cached}},
		"what DPS said, where the hub cannot be reached": {cloud: func(s *script) { s.hub = []byte{3} }, hub: hubName},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := good()
			if test.cloud != nil {
				test.cloud(s)
			}
			b := play(t, t.Context(), s, test.changes...)
			hub := ""
			if b.kept != nil {
				hub = b.kept.Hub
			}
			if hub != test.hub {
				t.Errorf("%s: it keeps %q, want %q", name, hub, test.hub)
			}
		})
	}
}

func TestInterruptedWithACachedAssignment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		s := good()
		s.hub = []byte{3}
		b := play(t, ctx, s, cached)
		if f := b.failure(t); f.Outcome != device.OutcomeInterrupted {
			t.Errorf("ended as %s after %s", f.Outcome, b.life)
		}
	})
}
