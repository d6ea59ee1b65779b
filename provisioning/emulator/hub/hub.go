// Package hub is the device endpoint of one IoT hub: who may connect, their
// twins, and what arrives from them (hub over MQTT, device twins).
//
// The room must not know DPS: it is given devices with keys and first twins, and
// whoever moves a device from one hub to another does so from outside. Nor does
// it listen: it is handed connections whose CONNECT named it.
package hub

import (
	"errors"
	"fmt"
	"sync/atomic"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/store"
	"dpsfleet/provisioning/mqtt"
)

// Options of a hub; the zero value is usable.
type Options struct {
	// Record is told of joins and twin reads before their answers leave. It is
	// called from many goroutines.
	Record func(provisioning.Exchange)
	// DisabledConnack is the CONNACK code for a disabled device, which no
	// document tells; 0 is 5.
	DisabledConnack byte
}

// Device is an entry of a hub's identity registry.
type Device struct {
	ID             string
	RegistrationID string // at DPS; the name under which exchanges are recorded
	Keys           provisioning.SymmetricKey
	Disabled       bool
}

// Hub is one IoT hub.
type Hub struct {
	name     string
	opt      Options
	devices  store.Table[entry]
	sessions store.Table[*session]
	totals   counters
}

// entry is what a hub keeps of a device.
type entry struct {
	device Device
	twin   Twin
}

// New makes an empty hub with the host name that devices put into user names.
func New(name string, opt Options) *Hub {
	if opt.Record == nil {
		opt.Record = func(provisioning.Exchange) {}
	}
	if opt.DisabledConnack == 0 {
		opt.DisabledConnack = notAuthorized
	}
	return &Hub{name: name, opt: opt}
}

// Name is the hub's host name.
func (h *Hub) Name() string { return h.name }

// Put adds a device with its first twin. A device that is there already keeps
// its twin, and takes over the keys.
func (h *Hub) Put(d Device, first Twin) Twin {
	kept := h.devices.Update(d.ID, func(e entry, known bool) (entry, bool) {
		if !known {
			e.twin = first
		}
		e.device = d
		return e, true
	})
	return kept.twin
}

// Remove deletes a device, closes its connection and returns its last twin.
func (h *Hub) Remove(deviceID string) (Twin, bool) {
	e, known := h.devices.Delete(deviceID)
	if s, online := h.sessions.Get(deviceID); online {
		s.conn.Kick(errRemoved)
	}
	return e.twin, known
}

// Twin is a device's twin as it is now.
func (h *Hub) Twin(deviceID string) (Twin, bool) {
	e, known := h.devices.Get(deviceID)
	return e.twin, known
}

// PatchDesired changes a device's desired properties, as a back end does, and
// tells the device if it is connected and has subscribed. It returns the new
// $version, by which a device knows the order of two changes that cross.
func (h *Hub) PatchDesired(deviceID string, patch []byte) (int64, error) {
	twin, err := h.change(deviceID, func(t Twin) (Twin, error) { return t.patchDesired(patch) })
	if err != nil {
		return 0, fmt.Errorf("changing the desired properties of %q: %w", deviceID, err)
	}
	s, online := h.sessions.Get(deviceID)
	if !online || !s.wantsDesired.Load() {
		return twin.DesiredVersion, nil
	}
	told := mqtt.Message{
		Topic:   provisioning.DesiredTopic(twin.DesiredVersion),
		Payload: withVersion(patch, twin.DesiredVersion),
	}
	if err := s.conn.Send(told); err != nil {
		s.conn.Kick(fmt.Errorf("a change of desired properties could not be sent: %w", err))
	}
	return twin.DesiredVersion, nil
}

var errUnknownDevice = errors.New("the hub has no such device")

// change applies a change to a twin, all of it or none.
func (h *Hub) change(deviceID string, apply func(Twin) (Twin, error)) (Twin, error) {
	err := errUnknownDevice
	e := h.devices.Update(deviceID, func(e entry, known bool) (entry, bool) {
		if !known {
			return e, false
		}
		var next Twin
		if next, err = apply(e.twin); err == nil {
			e.twin = next
		}
		return e, true
	})
	return e.twin, err
}

// Totals counts what a hub has served.
type Totals struct {
	Joins       int64 // accepted connections
	TwinReads   int64
	TwinPatches int64 // of reported properties, accepted
	Telemetry   int64 // messages
}

type counters struct{ joins, twinReads, twinPatches, telemetry atomic.Int64 }

// Totals is what the hub has served so far.
func (h *Hub) Totals() Totals {
	return Totals{
		Joins:       h.totals.joins.Load(),
		TwinReads:   h.totals.twinReads.Load(),
		TwinPatches: h.totals.twinPatches.Load(),
		Telemetry:   h.totals.telemetry.Load(),
	}
}
