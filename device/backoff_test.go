package device_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
)

// Each row is a back-off against a server that says no again and again, and the
// bounds of the pauses that it makes.
func TestBackoffs(t *testing.T) {
	type bounds struct{ least, most time.Duration }
	exactly := func(s time.Duration) bounds { return bounds{s * time.Second, s * time.Second} }
	between := func(least, most time.Duration) bounds { return bounds{least * time.Second, most * time.Second} }
	told := throttled
	told.retryAfter = "3"
	tests := map[string]struct {
		backoff device.Backoff
		says    reply
		pauses  []bounds
	}{
		"own":                       {device.Backoff{}, throttled, []bounds{{750 * time.Millisecond, 1250 * time.Millisecond}, {1500 * time.Millisecond, 2500 * time.Millisecond}, between(3, 5)}},
		"own, told to wait":         {device.OwnBackoff(), told, []bounds{exactly(3), exactly(3), exactly(3), exactly(3)}},
		"azure-default":             {device.AzureBackoff(), throttled, []bounds{between(1, 6), between(2, 7), between(4, 9), between(8, 13), between(16, 21)}},
		"azure-default, at its end": {device.AzureBackoff(), throttled, []bounds{6: between(64, 69), 7: between(100, 105)}},
		"azure-default, told":       {device.AzureBackoff(), told, []bounds{between(3, 8), between(3, 8), between(4, 9)}},
		"azure-storm":               {device.StormBackoff(1500, 1000.0/60, 2), throttled, []bounds{between(1, 46), between(2, 47), 6: between(45, 90)}},
		"azure-storm, told":         {device.StormBackoff(1500, 1000.0/60, 2), told, []bounds{between(3, 48)}},
		"azure-storm of one device": {device.StormBackoff(1, 1000.0/60, 1), throttled, []bounds{between(1, 2), between(1, 2)}},
		"naive":                     {device.NaiveBackoff(), throttled, []bounds{exactly(1), exactly(1), exactly(1), exactly(1)}},
		"naive, told":               {device.NaiveBackoff(), told, []bounds{exactly(1), exactly(1), exactly(1)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := good()
				s.registers = nil
				for range test.pauses {
					s.registers = append(s.registers, test.says)
				}
				s.registers = append(s.registers, accepted)
				b := play(t, t.Context(), s, func(d *device.Device, _ *device.Target) { d.Backoff = test.backoff })
				var pauses []time.Duration
				for _, e := range b.events {
					if e.From == device.Waiting {
						pauses = append(pauses, e.In)
					}
				}
				if len(pauses) != len(test.pauses) {
					t.Fatalf("paused %d times: %v", len(pauses), pauses)
				}
				for i, want := range test.pauses {
					if want != (bounds{}) && (pauses[i] < want.least || pauses[i] > want.most) {
						t.Errorf("pause %d is %s, want %s to %s", i+1, pauses[i], want.least, want.most)
					}
				}
			})
		})
	}
}
