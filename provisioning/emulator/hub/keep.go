package hub

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/store"
)

// keptEntry is an entry as a state file has it. The documents of the twin are
// bytes there, because encoding/json rewrites what stands in JSON as JSON.
type keptEntry struct {
	Device                  Device
	Twin                    Twin
	Tags, Desired, Reported []byte
}

// keptMessage is a message that waits for its device as a state file has it.
type keptMessage struct {
	Device     string
	Number     uint64
	Topic      string
	Body       []byte
	Expiry     time.Time
	ID         uint16 `json:",omitempty"`
	Deliveries int    `json:",omitempty"`
}

// Keep fills the hub from f and keeps it there: the registry with its twins, the
// sessions of clean session 0, and the messages that wait for a device. It is
// called before the hub has a device. The registry comes first, so that a crash
// leaves nothing of a device that is not known.
func (h *Hub) Keep(f *store.File) error {
	if err := store.Keep(f, "devices of "+h.name, &h.devices, entries()); err != nil {
		return err
	}
	if err := store.Keep(f, "sessions of "+h.name, &h.kept, sessions()); err != nil {
		return err
	}
	h.waiting = new(store.Table[pending])
	if err := store.Keep(f, "messages of "+h.name, h.waiting, messages()); err != nil {
		return err
	}
	h.requeue()
	return nil
}

// requeue puts the messages of the state file into the mailboxes, but for those
// that nobody will get any more.
func (h *Hub) requeue() {
	now := time.Now()
	all := h.waiting.Values()
	slices.SortFunc(all, func(a, b pending) int { return cmp.Compare(a.number, b.number) })
	for _, p := range all {
		if _, known := h.devices.Get(p.device); !known || !now.Before(p.expiry) {
			h.waiting.Delete(p.row())
			continue
		}
		box := h.box(p.device)
		box.queue, box.last = append(box.queue, p), p.number
	}
}

func entries() store.Codec[entry] {
	return store.Codec[entry]{
		Encode: func(e entry) ([]byte, error) {
			kept := keptEntry{Device: e.device, Twin: e.twin, Tags: e.twin.Tags, Desired: e.twin.Desired, Reported: e.twin.Reported}
			kept.Twin.Tags, kept.Twin.Desired, kept.Twin.Reported = nil, nil, nil
			return provisioning.Marshal(kept)
		},
		Decode: func(row []byte) (entry, bool, error) {
			var kept keptEntry
			if err := json.Unmarshal(row, &kept); err != nil {
				return entry{}, false, err
			}
			kept.Twin.Tags, kept.Twin.Desired, kept.Twin.Reported = kept.Tags, kept.Desired, kept.Reported
			return entry{device: kept.Device, twin: kept.Twin}, true, nil
		},
	}
}

func sessions() store.Codec[subscriptions] {
	return store.Codec[subscriptions]{
		Encode: func(w subscriptions) ([]byte, error) {
			return json.Marshal([...]grant{w.answers, w.desired, w.methods, w.messages})
		},
		Decode: func(row []byte) (subscriptions, bool, error) {
			var g [4]grant
			err := json.Unmarshal(row, &g)
			return subscriptions{g[0], g[1], g[2], g[3]}, true, err
		},
	}
}

func messages() store.Codec[pending] {
	return store.Codec[pending]{
		Encode: func(p pending) ([]byte, error) {
			return json.Marshal(keptMessage{p.device, p.number, p.topic, p.body, p.expiry, p.id, p.deliveries})
		},
		Decode: func(row []byte) (pending, bool, error) {
			var m keptMessage
			err := json.Unmarshal(row, &m)
			return pending{
				device: m.Device, number: m.Number, topic: m.Topic, body: m.Body,
				expiry: m.Expiry, id: m.ID, deliveries: m.Deliveries,
			}, true, err
		},
	}
}
