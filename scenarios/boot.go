package scenarios

import (
	"context"
	"errors"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/provisioning"
)

// bootOne boots one device that is due.
func (r *run) bootOne(ctx context.Context, a fleet.Arrival, due time.Time) {
	f := r.Fleets[a.Fleet]
	d, err := r.kinds[a.Fleet].Make(r.number(a))
	if err != nil {
		r.drop(a, due, &device.Failure{Outcome: device.OutcomeFailed, Err: err}, device.Failed)
		return
	}
	if d.Certificate = r.certificate(a); d.Certificate == nil {
		d.Key = r.key(f, d.ID)
	}
	d.Until, d.Stay, d.Telemetry = f.Until, durationOf(f.Stay), durationOf(f.Telemetry)
	d.Run(ctx, &r.target, due, r.record)
}

func (r *run) record(e device.Event) {
	r.rec.event(e)
	if r.env.Watch.Event != nil {
		r.env.Watch.Event(e)
	}
}

func (r *run) number(a fleet.Arrival) device.Number {
	f := r.Fleets[a.Fleet]
	return device.Number{Fleet: f.Name, N: f.first() + a.Index, Boot: 1, Seed: r.Seed}
}

// dropOne tells of a device that could not start: its fleet was at its limit.
func (r *run) dropOne(a fleet.Arrival, due time.Time) {
	r.drop(a, due, &device.Failure{Outcome: device.OutcomeDropped, Err: errors.New("limits.inFlight boots were running already")}, device.Dropped)
}

func (r *run) drop(a fleet.Arrival, due time.Time, failure *device.Failure, to device.Stage) {
	n := r.number(a)
	id, _ := r.kinds[a.Fleet].ID(n)
	now := time.Now()
	r.rec.event(device.Event{
		Device: id, Fleet: n.Fleet, Model: r.kinds[a.Fleet].Name, Boot: n.Boot,
		To: to, At: now, In: now.Sub(due), Err: failure,
	})
}

// key is the key of a device: that of its individual enrollment in our cloud, or
// one derived from its group's.
func (r *run) key(f Fleet, id string) provisioning.Key {
	if r.cloud == nil {
		t := r.Scenario.Target
		switch {
		case t.DeviceKey != nil:
			return t.DeviceKey
		case r.env.GroupKey != nil:
			return r.env.GroupKey.Derive(id)
		}
		return t.GroupKey.Derive(id)
	}
	if _, individual := r.Cloud.IndividualEnrollments[id]; individual {
		key, _ := r.cloud.Key(id)
		return key
	}
	key, _ := r.cloud.Key(r.groupOf(f))
	return key.Derive(id)
}

// groupOf is the enrollment group of a fleet.
func (r *run) groupOf(f Fleet) string {
	if f.EnrollmentGroup != "" {
		return f.EnrollmentGroup
	}
	return r.firstGroup()
}

func (r *run) firstGroup() string {
	first := ""
	for name := range r.Cloud.EnrollmentGroups {
		if first == "" || name < first {
			first = name
		}
	}
	return first
}
