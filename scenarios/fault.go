package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
)

// The places where faults are made.
const (
	atWebhook = "webhook"
	atDPS     = "dps"
	atHub     = "hub"
)

// faults are a scenario's as they happen. Of several that would touch the same
// call the first does.
type faults struct {
	rows  []*faultRow
	began atomic.Pointer[time.Time]
}

type faultRow struct {
	Fault
	number  int
	seed    uint64
	devices map[string]bool // nil is all
	webhook allocation.Fault
	cloud   emulator.Fault
	points  []emulator.FaultPoint // where it touches the cloud
	touched atomic.Int64
}

func newFaults(s Scenario) *faults {
	f := &faults{}
	for i, fault := range s.Faults {
		row := &faultRow{Fault: fault, number: i + 1, seed: s.Seed, devices: s.devicesOf(fault.Fleets)}
		row.become(fault.Do.kind())
		f.rows = append(f.rows, row)
	}
	return f
}

// become makes ready what the row does.
func (r *faultRow) become(w faultWord) {
	r.points = w.points(r.At)
	if r.At == atWebhook && w.webhook != nil {
		r.webhook = w.webhook(r.Do)
	}
	if len(r.points) > 0 {
		r.cloud = w.cloud(r.Do)
	}
}

// latency is how long a device is held back; 0 but for the latency.
func (r *faultRow) latency(registrationID string) time.Duration {
	if r.Do.word != wordLatency {
		return 0
	}
	return r.Do.wait.of(r.seed, registrationID)
}

// devicesOf are the registration ids of some fleets; nil for none.
func (s Scenario) devicesOf(fleets []string) map[string]bool {
	if len(fleets) == 0 {
		return nil
	}
	ids := make(map[string]bool)
	for _, f := range s.Fleets {
		kind, err := f.compile(s.Models)
		if err != nil || !slices.Contains(fleets, f.Name) {
			continue
		}
		for i := range f.Count {
			id, _ := kind.ID(device.Number{Fleet: f.Name, N: f.first() + i, Boot: 1, Seed: s.Seed})
			ids[provisioning.SameID(id)] = true
		}
	}
	return ids
}

// start is when the run begins, from which windows count.
func (f *faults) start(now time.Time) { f.began.Store(&now) }

// transport puts the faults in front of the webhook.
func (f *faults) transport(next http.RoundTripper) http.RoundTripper {
	if !f.any(atWebhook) {
		return next
	}
	return allocation.Faulty(next, f.ofWebhook)
}

// ofCloud is what the emulator asks; nil if there is nothing to ask.
func (f *faults) ofCloud() func(emulator.FaultPoint, string) emulator.Fault {
	if !f.any(atDPS) && !f.any(atHub) {
		return nil
	}
	return f.at
}

func (f *faults) any(place string) bool {
	return slices.ContainsFunc(f.rows, func(r *faultRow) bool { return r.At == place })
}

// ofWebhook is what becomes of a call for a device.
func (f *faults) ofWebhook(registrationID string) allocation.Fault {
	row := f.hit(registrationID, func(r *faultRow) bool { return r.At == atWebhook })
	switch {
	case row == nil:
		return nil
	case row.webhook != nil:
		return row.webhook
	}
	return allocation.Late(row.latency(registrationID))
}

// at is what becomes of what a device asks the cloud.
func (f *faults) at(point emulator.FaultPoint, registrationID string) emulator.Fault {
	row := f.hit(registrationID, func(r *faultRow) bool { return slices.Contains(r.points, point) })
	if row == nil {
		return emulator.Fault{}
	}
	fault := row.cloud
	fault.Wait = row.latency(registrationID)
	return fault
}

// hit is the first of the rows that are meant which touches a device now; nil for
// none.
func (f *faults) hit(registrationID string, meant func(*faultRow) bool) *faultRow {
	began := f.began.Load()
	if began == nil {
		return nil
	}
	since := time.Since(*began)
	for _, row := range f.rows {
		if meant(row) && row.hits(registrationID, since) {
			row.touched.Add(1)
			return row
		}
	}
	return nil
}

func (r *faultRow) hits(registrationID string, since time.Duration) bool {
	if r.During != nil && (since < r.During.From || since >= r.During.To) {
		return false
	}
	if r.Share != 0 && !r.Share.has(r.seed, registrationID, ofFault) {
		return false
	}
	return r.devices == nil || r.devices[provisioning.SameID(registrationID)]
}

// untouched says which faults touched nothing: a run that shows nothing of what
// it was made to show has failed.
func (f *faults) untouched() []string {
	var out []string
	for _, row := range f.rows {
		if row.touched.Load() == 0 {
			out = append(out, fmt.Sprintf("fault %d (%s at %s) touched nothing", row.number, row.Do, placeName(row.At)))
		}
	}
	return out
}
