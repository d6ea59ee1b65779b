package device_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
)

// When the power goes a device says goodbye to nobody, wherever it is. One that was
// online has booted; one that was not is told as stopped, and why.
func TestPowerCut(t *testing.T) {
	tests := []struct {
		name    string
		after   time.Duration
		life    string
		keeps   string // the hub
		whole   bool   // the boot reached what it was for
		goodbye bool
	}{
		{"Online", 10 * time.Second, "0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 10s off", hubName, true, false},
		{"BetweenPolls", 4 * time.Second, "0s dialing; 0s registering; 0s assigning; 4s failed", "", false, false},
		{"NotWhileItLives", time.Minute, "0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 36s off", hubName, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cut := time.Now().Add(test.after)
				b := play(t, t.Context(), good(), stays(30*time.Second, 0), func(d *device.Device, _ *device.Target) { d.PowerCut = cut })
				if b.life != test.life {
					t.Errorf("life\n got %s\nwant %s", b.life, test.life)
				}
				if got := b.seen[len(b.seen)-1] == "DISCONNECT"; got != test.goodbye {
					t.Errorf("it said goodbye: %t, want %t", got, test.goodbye)
				}
				if (b.kept != nil) != (test.keeps != "") || b.kept != nil && b.kept.Hub != test.keeps {
					t.Errorf("it keeps %+v", b.kept)
				}
				if !test.whole {
					if f := b.failure(t); f.Outcome != device.OutcomeInterrupted || f.Error() != "the power was cut" {
						t.Errorf("%s: %v", f.Outcome, f)
					}
				}
			})
		})
	}
}
