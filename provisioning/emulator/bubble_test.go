package emulator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/memnet"
)

// TestCloudInABubble is how a test of one's own reads: the allocation takes as
// long as the live service's, and the test no time at all.
func TestCloudInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		cloud, err := emulator.New(t.Context(), emulator.Config{
			LinkedHubs:  []string{toastersHub},
			Enrollments: []emulator.Enrollment{group(t)},
			Listen:      network.Listen,
			Dial:        network.Dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer cloud.Close()
		if err := register(network.Dial, cloud.Addr(), key(t, tutorialKey), toaster); err != nil {
			t.Fatal(err)
		}
		if state, _ := cloud.Registration(toaster); state.Status != provisioning.Assigning {
			t.Errorf("at first it is %s", state.Status)
		}
		time.Sleep(6 * time.Second)
		if state, _ := cloud.Registration(toaster); state.AssignedHub != toastersHub {
			t.Errorf("it ended as %+v", state)
		}
	})
}
