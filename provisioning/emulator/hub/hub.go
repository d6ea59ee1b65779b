// Package hub is one IoT hub: the device endpoint, who may connect, their twins,
// what they send and are sent (hub over MQTT, device twins), and the service API,
// with which back ends ask for all of it over HTTP.
//
// The room must not know DPS: it is given devices with keys and first twins, and
// whoever moves a device from one hub to another does so from outside. Nor does
// it listen: it is handed connections whose CONNECT named it.
package hub

import (
	"sync/atomic"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/store"
)

// Options of a hub; the zero value is usable.
type Options struct {
	// Record is told of joins and twin reads before their answers leave. It is
	// called from many goroutines.
	Record func(provisioning.Exchange)
	// Observe is told of what devices and back ends say to each other beside:
	// telemetry, messages, direct methods, reported patches.
	Observe func(provisioning.Exchange)
	// DisabledConnack is the CONNACK code for a disabled device, which no
	// document tells; 0 is 5.
	DisabledConnack byte
	// TwinFault is asked on each GET of a twin, by registration id, what is to go
	// wrong with it: nil is nothing, an *Error is its answer, ErrSilent leaves it
	// without one, and at any other error the hub hangs up.
	TwinFault func(registrationID string) error
}

// Device is an entry of a hub's identity registry.
type Device struct {
	ID             string
	RegistrationID string // at DPS; the name under which exchanges are recorded
	Keys           provisioning.SymmetricKey
	X509           *provisioning.X509 // instead of Keys, where it is set
	Disabled       bool
}

// Hub is one IoT hub.
type Hub struct {
	name     string
	opt      Options
	devices  store.Table[entry]
	sessions store.Table[*session]
	boxes    store.Table[*mailbox]      // of devices that need one
	kept     store.Table[subscriptions] // of devices that connected with clean session 0
	waiting  *store.Table[pending]      // all messages in boxes; nil if nothing is kept
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
	if opt.Observe == nil {
		opt.Observe = func(provisioning.Exchange) {}
	}
	if opt.TwinFault == nil {
		opt.TwinFault = func(string) error { return nil }
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
	if box, any := h.boxes.Delete(deviceID); any {
		box.empty()
	}
	h.kept.Delete(deviceID)
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
