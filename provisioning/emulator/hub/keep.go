package hub

import (
	"encoding/json"

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

// Keep fills the hub's registry from f and keeps it there. Messages that wait for
// a device and the state of connections are not kept. It is called before the hub
// has a device.
func (h *Hub) Keep(f *store.File) error {
	return store.Keep(f, "devices of "+h.name, &h.devices, store.Codec[entry]{
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
	})
}
