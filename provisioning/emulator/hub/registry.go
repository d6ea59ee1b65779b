package hub

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dpsfleet/provisioning"
)

// Device is a device as the hub knows it.
func (h *Hub) Device(deviceID string) (Device, bool) {
	e, known := h.devices.Get(deviceID)
	return e.device, known
}

// ETag is the device's, which back ends guard their changes with.
func (d Device) ETag() string {
	text, _ := json.Marshal([]any{d.ID, d.Disabled, d.Keys.Primary.Base64(), d.Keys.Secondary.Base64()})
	sum := sha256.Sum256(text)
	return base64.StdEncoding.EncodeToString(sum[:8])
}

// matches reports whether an If-Match is met; empty is not one.
func matches(ifMatch, etag string) bool {
	return ifMatch == "" || ifMatch == "*" || strings.Trim(ifMatch, `"`) == etag
}

// Register makes a device, or changes one that is there if an If-Match says so, as
// a back end does. Keys that are not given stay, or are made.
func (h *Hub) Register(d Device, ifMatch string) (Device, error) {
	var err error
	e := h.devices.Update(d.ID, func(e entry, known bool) (entry, bool) {
		if err = mayRegister(e.device, known, ifMatch); err != nil {
			return e, known
		}
		if !known {
			e.twin, _ = NewTwin(provisioning.InitialTwin{})
		}
		d.X509, d.RegistrationID = e.device.X509, cmp.Or(e.device.RegistrationID, d.ID)
		d.Keys = completed(d.Keys, e.device)
		e.device = d
		return e, true
	})
	if err != nil {
		return Device{}, err
	}
	if s, online := h.sessions.Get(d.ID); online && d.Disabled {
		s.conn.Kick(errDisabled)
	}
	return e.device, nil
}

func mayRegister(now Device, known bool, ifMatch string) error {
	switch {
	case !known && ifMatch != "":
		return &Error{http.StatusNotFound, 404001, "DeviceNotFound", "the hub has no such device to change"}
	case known && ifMatch == "":
		return &Error{http.StatusConflict, 409001, "DeviceAlreadyExists", fmt.Sprintf("the hub has a device %q already", now.ID)}
	case !matches(ifMatch, now.ETag()):
		return changedMeanwhile()
	}
	return nil
}

// completed fills in the keys that are not given. A device with a certificate has
// none.
func completed(keys provisioning.SymmetricKey, old Device) provisioning.SymmetricKey {
	if old.X509 != nil {
		return old.Keys
	}
	for _, k := range []struct {
		to  *provisioning.Key
		old provisioning.Key
	}{{&keys.Primary, old.Keys.Primary}, {&keys.Secondary, old.Keys.Secondary}} {
		if len(*k.to) == 0 {
			*k.to = k.old
		}
		if len(*k.to) == 0 {
			*k.to = provisioning.NewKey()
		}
	}
	return keys
}

// Unregister removes a device if an If-Match is met.
func (h *Hub) Unregister(deviceID, ifMatch string) error {
	d, known := h.Device(deviceID)
	if !known {
		return notFound(deviceID)
	}
	if !matches(ifMatch, d.ETag()) {
		return changedMeanwhile()
	}
	h.Remove(deviceID)
	return nil
}

// page is up to n devices after an id, in the order of their ids, and whether
// there are more.
func (h *Hub) page(after string, n int) ([]entry, bool) {
	all := h.devices.Values()
	all = slices.DeleteFunc(all, func(e entry) bool { return e.device.ID <= after })
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.device.ID, b.device.ID) })
	return all[:min(n, len(all))], len(all) > n
}
