package scenarios

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
)

func occasion(what string, boot int) string { return fmt.Sprintf("%s %d", what, boot) }

// again is what a run keeps of the boots after the first ones.
type again struct {
	due atomic.Int64 // how many were due
	// Where the guard bounds the rate of boots, these are due one after the other,
	// once every device has come for the first time.
	mu   sync.Mutex
	gap  time.Duration // 0 is no bound
	free time.Time
}

// bound keeps the boots after the first to so many a second, from a time on.
func (a *again) bound(perSecond float64, from time.Time) {
	a.gap, a.free = time.Duration(float64(time.Second)/perSecond), from
}

// next is when a boot is due that would be at a time.
func (a *again) next(due time.Time) time.Time {
	if a.gap == 0 {
		return due
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.free.After(due) {
		due = a.free
	}
	a.free = due.Add(a.gap)
	return due
}

// bootOne boots one device that is due, and boots it again as its fleet does. A
// device holds its place in limits.inFlight until its last boot is over.
func (r *run) bootOne(ctx context.Context, a fleet.Arrival, due time.Time) {
	if f := &r.Fleets[a.Fleet]; f.Cached != nil || len(f.Reboots) > 0 {
		r.bootAgain(ctx, a, due)
		return
	}
	r.bootOnce(ctx, a, due, r.onlyBoot(a))
}

// onlyBoot is apart from bootOne to keep that one's frame small.
//
//go:noinline
func (r *run) onlyBoot(a fleet.Arrival) *boot {
	return &boot{Number: r.number(a), sessions: r.sessions()}
}

// bootAgain boots one device that knows a hub or has several boots.
func (r *run) bootAgain(ctx context.Context, a fleet.Arrival, due time.Time) {
	f, n := r.Fleets[a.Fleet], r.number(a)
	id, _ := r.kinds[a.Fleet].ID(n)
	sessions, start := r.sessions(), due.Add(-a.Offset)
	known := r.bootOnce(ctx, a, due, &boot{n, r.cached(f, id), sessions, f.Reboots.cut(1, start)})
	for number, reboot := range f.Reboots.each() {
		due = time.Now()
		if reboot.PowerCut > 0 {
			due = start.Add(durationOf(reboot.PowerCut) + a.Offset - durationOf(f.Start))
		}
		due = r.again.next(due.Add(reboot.pauseBefore(number, r.Seed, id)))
		if !sleepUntil(ctx, due) {
			return
		}
		r.again.due.Add(1)
		if reboot.resets(number, r.Seed, id) {
			known = nil
		}
		n.Boot = number
		known = r.bootOnce(ctx, a, due, &boot{n, known, sessions, f.Reboots.cut(number, start)})
	}
}

// sessionsEach is how many TLS sessions a device keeps: DPS's, its hub's, and that
// of a hub that it was at before.
const sessionsEach = 3

// sessions are a device's, which outlive its boots.
func (r *run) sessions() tls.ClientSessionCache {
	if !r.TLS.Resume || !r.env.Network.secure() {
		return nil
	}
	return tls.NewLRUClientSessionCache(sessionsEach)
}

// sleepUntil reports whether the time has come before ctx ended.
func sleepUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// cached is what a device knows from an earlier life, nil for nothing.
func (r *run) cached(f Fleet, id string) *device.Assignment {
	if f.Cached == nil {
		return nil
	}
	deviceID := id
	if r.cloud != nil {
		if e := r.Cloud.IndividualEnrollments[id]; e.DeviceID != "" {
			deviceID = e.DeviceID
		}
	}
	return &device.Assignment{Hub: f.Cached.Hub, DeviceID: deviceID}
}

// forgotten reports whether the cloud has forgotten a device.
func (c Cached) forgotten(seed uint64, id string) bool {
	return c.Forgotten.has(seed, id, "forgotten")
}

// placeDevices puts the devices that know a hub of our cloud there.
func (r *run) placeDevices() error {
	for i, f := range r.Fleets {
		if f.Cached == nil {
			continue
		}
		for index := range f.Count {
			id, err := r.kinds[i].ID(r.number(fleet.Arrival{Fleet: i, Index: index}))
			if err != nil {
				return err
			}
			if f.Cached.forgotten(r.Seed, id) {
				continue
			}
			enrollment, _ := r.byCertificate(f, id)
			if err := r.cloud.Place(enrollment, id, f.Cached.Hub); err != nil {
				return fmt.Errorf("fleet %s: %w", f.Name, err)
			}
		}
	}
	return nil
}
