package scenarios

import (
	"context"
	"slices"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/metrics"
	"dpsfleet/provisioning/allocation"
)

// Replay is a recording as a run: a webhook is asked the very same again.
type Replay struct {
	Scenario
	// Requests are for Env.
	Requests func(fleet.Arrival) (allocation.Asked, error)
	// Notes say what of the recording is not replayed.
	Notes []string
}

// ReadReplay makes a run against target of a recording's requests, byte for byte.
// They come as they were recorded, or as pace says, if it says anything. What
// becomes of a device is not judged, as long as the webhook answers: what differs
// from before is for [allocation.Diff] to say.
func ReadReplay(ctx context.Context, path string, target Target, pace Stages) (Replay, error) {
	recorded, err := allocation.ReadReplay(ctx, path)
	if err != nil {
		return Replay{}, err
	}
	if len(target.Hubs) == 0 {
		target.Hubs = hubsOf(recorded.Asked)
	}
	f := Fleet{
		Name: "replayed", Model: "recorded", Count: len(recorded.Asked),
		Arrive: pace,
		Expect: metrics.Expectations{{Outcome: device.OutcomeAssigned}, {Outcome: device.OutcomeFailed}},
	}
	if len(pace) == 0 {
		f.at = recorded.Offsets
	}
	return Replay{
		Scenario: Scenario{
			Name: "replay", Seed: recorded.Info.Seed,
			Target: &target,
			Models: map[string]device.Model{"recorded": {RegistrationID: "recorded{{.N}}"}},
			Fleets: Fleets{f},
		},
		Requests: func(a fleet.Arrival) (allocation.Asked, error) { return recorded.Asked[a.Index], nil },
		Notes:    recorded.Notes,
	}, nil
}

// hubsOf are all hubs that a webhook is asked about, each once.
func hubsOf(asked []allocation.Asked) []string {
	var hubs []string
	var last []string
	for _, a := range asked {
		if slices.Equal(a.LinkedHubs, last) {
			continue
		}
		last = a.LinkedHubs
		hubs = append(hubs, last...)
		slices.Sort(hubs)
		hubs = slices.Compact(hubs)
	}
	return hubs
}

// id is the registration id of a device that is due.
func (r *run) id(a fleet.Arrival, n device.Number) string {
	if r.env.Requests != nil {
		if asked, err := r.env.Requests(a); err == nil {
			return asked.RegistrationID
		}
	}
	id, _ := r.kinds[a.Fleet].ID(n)
	return id
}
