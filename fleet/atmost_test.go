package fleet_test

import (
	"testing"
	"time"

	"dpsfleet/fleet"
)

func TestAtMostPutsOffWhatComesTooFast(t *testing.T) {
	burst, err := fleet.ParseShape("burst")
	if err != nil {
		t.Fatal(err)
	}
	plan := fleet.Plan{
		AtMost: 4,
		Fleets: []fleet.Fleet{
			{Name: "a", Count: 3, Arrive: []fleet.Shape{burst}},
			{Name: "b", Count: 1, Start: 10 * time.Second, Arrive: []fleet.Shape{burst}},
		},
	}
	want := []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond, 10 * time.Second}
	i := 0
	for a := range plan.Arrivals() {
		if a.Offset != want[i] {
			t.Errorf("arrival %d is due at %s, want %s", i, a.Offset, want[i])
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d arrivals, want %d", i, len(want))
	}
}
