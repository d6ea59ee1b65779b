package scenarios

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/provisioning"
)

// boot is one boot of a device: who it is, and what it knows from earlier.
type boot struct {
	device.Number
	known    *device.Assignment
	sessions tls.ClientSessionCache // of TLS; nil for none
	powerCut time.Time              // zero for none
}

// bootOnce plays one boot, and returns what the device knows after it. While a
// device is held its stack is most of it, so those who wait here keep theirs small.
func (r *run) bootOnce(ctx context.Context, a fleet.Arrival, due time.Time, b *boot) *device.Assignment {
	d := r.made(a, due, b)
	if d == nil {
		return b.known
	}
	return d.Run(ctx, r.targetOf(a), due, r.record)
}

// made is the device of an arrival; nil if there can be none, which is told then. It
// is made on a stack that is given back: templates and keys take more than a device
// that waits.
func (r *run) made(a fleet.Arrival, due time.Time, b *boot) *device.Device {
	done := make(chan *device.Device)
	go func() {
		d, err := r.make(a, b)
		if err != nil {
			r.neverMade(a, b.Number, due, err)
		}
		done <- d
	}()
	return <-done
}

func (r *run) make(a fleet.Arrival, b *boot) (*device.Device, error) {
	f := &r.Fleets[a.Fleet]
	d, err := r.kinds[a.Fleet].Make(b.Number)
	if err != nil {
		return nil, err
	}
	if d.Certificate = r.certificate(a); d.Certificate == nil {
		d.Key = r.key(*f, d.ID)
	}
	d.Until, d.Stay, d.Telemetry = f.Until, durationOf(f.Stay), durationOf(f.Telemetry)
	d.Cached, d.Sessions, d.Backoff, d.PowerCut = b.known, b.sessions, r.backoffs[a.Fleet], b.powerCut
	return &d, nil
}

// hears takes what devices tell of themselves, straight to the recorder unless
// somebody watches.
func (r *run) hears() func(device.Event) {
	record, watch := r.rec.event, r.env.Watch.Event
	if watch == nil {
		return record
	}
	return func(e device.Event) {
		record(e)
		watch(e)
	}
}

func (r *run) number(a fleet.Arrival) device.Number {
	f := &r.Fleets[a.Fleet]
	return device.Number{Fleet: f.Name, N: f.first() + a.Index, Boot: 1, Seed: r.Seed}
}

// dropOne tells of a device that could not start: its fleet was at its limit.
func (r *run) dropOne(a fleet.Arrival, due time.Time) {
	r.drop(a, due, &device.Failure{Outcome: device.OutcomeDropped, Err: errors.New("limits.inFlight boots were running already")}, device.Dropped)
}

func (r *run) drop(a fleet.Arrival, due time.Time, failure *device.Failure, to device.Stage) {
	r.never(a, r.number(a), due, device.Event{To: to, Err: failure})
}

func (r *run) neverMade(a fleet.Arrival, n device.Number, due time.Time, err error) {
	r.never(a, n, due, device.Event{To: device.Failed, Err: &device.Failure{Outcome: device.OutcomeFailed, Err: err}})
}

// never tells of a boot that was due and did not begin.
func (r *run) never(a fleet.Arrival, n device.Number, due time.Time, e device.Event) {
	e.Device = r.id(a, n)
	e.Fleet, e.Model, e.Boot = n.Fleet, r.kinds[a.Fleet].Name, n.Boot
	e.At = time.Now()
	e.In = e.At.Sub(due)
	r.rec.event(e)
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
	key, _ := r.cloud.DeviceKey(r.groupOf(f), id)
	return key
}

// groupOf is the enrollment group of a fleet.
func (r *run) groupOf(f Fleet) string {
	if f.EnrollmentGroup != "" {
		return f.EnrollmentGroup
	}
	return r.Cloud.firstGroup()
}

func (c Cloud) firstGroup() string {
	first := ""
	for name := range c.EnrollmentGroups {
		if first == "" || name < first {
			first = name
		}
	}
	return first
}
