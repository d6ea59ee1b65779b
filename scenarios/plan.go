package scenarios

import (
	"fmt"

	"dpsfleet/device"
	"dpsfleet/fleet"
)

// plan is the fleet as fleet.Run takes it.
func (f Fleet) plan() fleet.Fleet {
	return fleet.Fleet{Name: f.Name, Count: f.Count, Start: durationOf(f.Start), Arrive: f.Arrive, At: f.at}
}

// compile makes the kind of the fleet's devices.
func (f Fleet) compile(models map[string]device.Model) (*device.Kind, error) {
	model, ok := models[f.Model]
	if !ok {
		if model, ok = device.Models()[f.Model]; !ok {
			return nil, fmt.Errorf("there is no model %q", f.Model)
		}
	}
	if len(f.Payload) > 0 {
		var err error
		if model, err = model.With(f.Payload); err != nil {
			return nil, err
		}
	}
	return model.Compile(f.Model)
}

// Plan is who starts when.
func (s Scenario) Plan() fleet.Plan {
	p := fleet.Plan{Seed: s.Seed, InFlight: s.Limits.InFlight}
	for _, f := range s.Fleets {
		p.Fleets = append(p.Fleets, f.plan())
	}
	return p
}

// Scaled is the scenario with x times the devices at x times the rates, for the
// same time.
func (s Scenario) Scaled(x float64) Scenario {
	plan := s.Plan().Scaled(x)
	s.Limits.InFlight = plan.InFlight
	s.Fleets = append(Fleets(nil), s.Fleets...)
	for i, f := range plan.Fleets {
		s.Fleets[i].Count, s.Fleets[i].Arrive = f.Count, f.Arrive
	}
	return s
}
