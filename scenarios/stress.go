package scenarios

import (
	"errors"
	"fmt"
	"time"

	"dpsfleet/fleet"
)

// MostCalls is how many devices a run can have.
const MostCalls = 10_000_000

// TutorialHubs are the linked hubs of Microsoft's tutorial.
func TutorialHubs() []string {
	return []string{"contoso-toasters-hub-1098.azure-devices.net", "contoso-heatpumps-hub-1098.azure-devices.net"}
}

// Stress is the scenario of toasters and heat pumps, as seven to three, that a
// webhook is loaded with where nobody names another. It has no arrivals yet.
func Stress() Scenario {
	return Scenario{
		Name:  "stress",
		About: "Calls a webhook as DPS would.",
		Seed:  1,
		Fleets: Fleets{
			{Name: "toasters", Model: "toaster", Count: 7},
			{Name: "heatpumps", Model: "heatpump", Count: 3},
		},
	}
}

// Calling is the scenario with its devices' requests sent to a webhook directly.
// The linked hubs of its cloud are those that the webhook is asked about, unless
// the target names others. Faults elsewhere than at the webhook have no place.
func (s Scenario) Calling(t Target) Scenario {
	if len(t.Hubs) == 0 {
		t.Hubs = s.Hubs()
	}
	s.Cloud, s.Target = nil, &t
	var faults []Fault
	for _, f := range s.Faults {
		if f.At == "webhook" {
			faults = append(faults, f)
		}
	}
	s.Faults = faults
	return s
}

// Arriving is the scenario with its fleets arriving in stages, for so long, each
// fleet at a part of the rate that is as large as its part of the devices. The
// counts are what comes meanwhile.
func (s Scenario) Arriving(stages Stages, d time.Duration) (Scenario, error) {
	all := s.devices()
	s.Fleets = append(Fleets(nil), s.Fleets...)
	for i, f := range s.Fleets {
		plan := fleet.Plan{Seed: s.Seed, Fleets: []fleet.Fleet{{Name: f.Name, Count: MostCalls, Arrive: stages}}}
		plan = plan.Scaled(float64(f.Count) / float64(all))
		plan.Fleets[0].Count = MostCalls + 1
		n := due(plan, d)
		if n > MostCalls {
			return s, fmt.Errorf("more than %d calls in %v; a burst comes at once, and needs its size, as burst 500", MostCalls, d)
		}
		s.Fleets[i].Count, s.Fleets[i].Arrive, s.Fleets[i].Start = n, plan.Fleets[0].Arrive, 0
	}
	if s.devices() == 0 {
		return s, errors.New("nothing is called in that time")
	}
	return s, nil
}

// due counts the arrivals before d.
func due(p fleet.Plan, d time.Duration) int {
	n := 0
	for a := range p.Arrivals() {
		if a.Offset >= d {
			break
		}
		n++
	}
	return n
}
