package hub

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// TwinChange is what a back end changes of a twin; what is nil stays.
type TwinChange struct {
	Tags, Desired json.RawMessage
	// Replace puts the documents in place of the twin's. Otherwise they are
	// merged into them, and null deletes.
	Replace bool
	// IfMatch is the etag that the twin must have; empty or * is any.
	IfMatch string
}

// ETag is the twin's, which back ends guard their changes with. It has the form
// of the service's and changes with tags and desired properties.
func (t Twin) ETag() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(t.Changes)+1))
}

// PatchDesired changes a device's desired properties. It returns the new
// $version, by which a device knows the order of two changes that cross.
func (h *Hub) PatchDesired(deviceID string, patch []byte) (int64, error) {
	twin, err := h.ChangeTwin(deviceID, TwinChange{Desired: patch})
	if err != nil {
		return 0, fmt.Errorf("changing the desired properties of %q: %w", deviceID, err)
	}
	return twin.DesiredVersion, nil
}

// ChangeTwin changes a device's twin as a back end does, and tells the device if
// it is connected and has subscribed.
func (h *Hub) ChangeTwin(deviceID string, change TwinChange) (Twin, error) {
	twin, err := h.change(deviceID, func(t Twin) (Twin, error) { return t.changed(change) })
	if errors.Is(err, errUnknownDevice) {
		return Twin{}, notFound(deviceID)
	}
	if err != nil {
		return Twin{}, err
	}
	if change.Desired != nil {
		h.tell(deviceID, change.Desired, twin.DesiredVersion)
	}
	return twin, nil
}

func (t Twin) changed(change TwinChange) (_ Twin, err error) {
	if !matches(change.IfMatch, t.ETag()) {
		return Twin{}, changedMeanwhile()
	}
	apply := patched
	if change.Replace {
		apply = func(_, whole []byte, limit int) (json.RawMessage, error) { return patched([]byte("{}"), whole, limit) }
	}
	if change.Tags != nil {
		if t.Tags, err = apply(t.Tags, change.Tags, maxTags); err != nil {
			return Twin{}, invalid("the tags: " + err.Error())
		}
	}
	if change.Desired != nil {
		if t.Desired, err = apply(t.Desired, change.Desired, maxProperties); err != nil {
			return Twin{}, invalid("the desired properties: " + err.Error())
		}
		t.DesiredVersion++
	}
	t.Changes++
	return t, nil
}

// tell sends a change to its device, if that is connected and wants to hear of
// it. Where the whole document was replaced, that is what it hears.
func (h *Hub) tell(deviceID string, desired []byte, version int64) {
	s, online := h.sessions.Get(deviceID)
	if !online || !s.wantsDesired.Load() {
		return
	}
	told := mqtt.Message{Topic: provisioning.DesiredTopic(version), Payload: withVersion(desired, version)}
	if err := s.conn.Send(told); err != nil {
		s.conn.Kick(fmt.Errorf("a change of desired properties could not be sent: %w", err))
	}
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
