package emulator

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator/hub"
)

// settle keeps the verdict of an allocation, unless the device has registered
// again meanwhile. The device exists at its hub and the exchange is recorded
// before a poll can hear of either.
func (c *Cloud) settle(t *task, v *allocation.Verdict) {
	t.stale = v.Code == 0 && c.stale(t, v.Hub)
	var verdict *provisioning.RegistrationState
	var tags json.RawMessage
	// In two steps: what the first one leaves is not decided yet, so a poll that
	// comes before the record is made still hears assigning.
	c.registrations.Update(t.key(), func(r registration, known bool) (registration, bool) {
		if t.current(&r) {
			tags = c.conclude(&r, t, v)
			verdict = r.Operation.Verdict
		}
		return r, known
	})
	if verdict == nil {
		return
	}
	c.totals.verdict(verdict.Status)
	c.announce(t, v, verdict, tags)
	c.registrations.Update(t.key(), func(r registration, known bool) (registration, bool) {
		if t.current(&r) {
			r.Operation.Decided, r.Operation.cancel = true, nil
		}
		return r, known
	})
}

// announce logs and records a verdict.
func (c *Cloud) announce(t *task, v *allocation.Verdict, verdict *provisioning.RegistrationState, tags json.RawMessage) {
	if v.Reason != "" {
		c.cfg.Log.Debug("allocation failed", "device", shown(t.who.registrationID), "reason", shown(v.Reason))
	}
	c.cfg.Record(provisioning.Exchange{
		Kind: provisioning.ExchangeVerdict, RegistrationID: t.who.registrationID,
		OperationID: t.operationID, At: time.Now(), Status: v.Status,
		State: verdict, Tags: tags, Hub: verdict.AssignedHub,
	})
}

// conclude makes a verdict of what the allocation found, and sees to the device
// at its hub. It returns the tags of the twin there.
func (c *Cloud) conclude(r *registration, t *task, v *allocation.Verdict) json.RawMessage {
	state := &provisioning.RegistrationState{RegistrationID: t.who.registrationID}
	r.Operation.Verdict = state // which nobody reads before it is decided
	if t.disabled() {
		r.Operation.Ready, state.Status = time.Now(), provisioning.Disabled // nothing was allocated
		return nil
	}
	target, linked := c.hubs[strings.ToLower(v.Hub)]
	if linked && v.Code == 0 {
		r.Operation.Ready = latest(r.Operation.Ready, c.reached(r, t, target))
	}
	// What a device reads must not be dated before it could read it.
	decided := latest(time.Now(), r.Operation.Ready)
	state.Created, state.LastUpdated = provisioning.Timestamp{Time: r.Created}, provisioning.Timestamp{Time: decided}
	state.ETag = stateETag(c.draws(t.operationID, r.Count), decided)
	twin, err := hub.NewTwin(initialTwin(t.record, v))
	switch {
	case v.Code != 0:
		return failed(state, v.Code, v.Message)
	case !linked:
		return failed(state, provisioning.CustomAllocationFailed, "The hub is not linked.")
	case t.stale:
		return failed(state, c.cfg.Undocumented.StaleHubCode, staleHub(guid(c.draws(t.operationID, r.Count))))
	case err != nil:
		return failed(state, c.cfg.Undocumented.BadTwinCode, "IoT Hub did not take the initial twin.")
	}
	// A device keeps the id under which its hub knows it, whatever the case of
	// its registration id this time.
	r.DeviceID = cmp.Or(r.DeviceID, t.record.DeviceID, t.who.registrationID)
	state.Substatus = c.move(r, t, target, &twin)
	r.Hub, r.First = target.Name(), cmp.Or(r.First, target.Name())
	state.Status, state.AssignedHub, state.DeviceID = provisioning.Assigned, r.Hub, r.DeviceID
	state.Payload = v.Payload
	if t.who.certificate != nil { // seen so, and empty
		state.X509 = &struct{}{}
	}
	return twin.Tags
}

// failed is an error that a device is told with status 200 and failed. No hub, no
// device id and no tags are in it.
func failed(state *provisioning.RegistrationState, code provisioning.Code, message string) json.RawMessage {
	state.Status, state.ErrorCode, state.ErrorMessage = provisioning.Failed, code, message
	return nil
}

// staleHub is what the service says of a linked hub that refuses it
// (azure-iot-sdk-c issues 1789 and 2362).
func staleHub(trackingID string) string {
	return `{"Message":"ErrorCode:IotHubUnauthorizedAccess;Unauthorized","ExceptionMessage":"Tracking ID:` + trackingID + `"}`
}

// reached is when DPS has done with a hub, or has given up on a stale one.
func (c *Cloud) reached(r *registration, t *task, target *hub.Hub) time.Time {
	if t.stale {
		return time.Now().Add(c.draw(c.cfg.Undocumented.StaleHubWait, t.key(), t.operationID))
	}
	return c.reserve(touched(r.Hub, target.Name())...)
}

// touched are the hubs whose registries change when a device that is at one gets
// another, or is confirmed where it is.
func touched(from, to string) []string {
	if from == "" || strings.EqualFold(from, to) {
		return []string{to}
	}
	return []string{from, to}
}

// initialTwin is the webhook's, or else the enrollment's (custom allocation).
func initialTwin(record *provisioning.Enrollment, v *allocation.Verdict) provisioning.InitialTwin {
	for _, twin := range []*provisioning.InitialTwin{v.InitialTwin, record.InitialTwin} {
		if twin != nil {
			return *twin
		}
	}
	return provisioning.InitialTwin{}
}

// move puts a device to its hub, makes of the initial twin the one that it has
// there, and returns the substatus (re-provisioning concepts): a new device gets
// the initial twin, one that stays keeps its own, one that moves takes it along
// unless the enrollment resets it.
func (c *Cloud) move(r *registration, t *task, target *hub.Hub, twin *hub.Twin) string {
	substatus := provisioning.InitialAssignment
	switch {
	case r.Hub == target.Name():
		substatus = c.cfg.Undocumented.RepeatedSubstatus
	case r.Hub != "":
		substatus = provisioning.DeviceDataReset
		if left, known := c.take(r.Hub, r.DeviceID); known && t.record.Reprovision.MigrateDeviceData {
			*twin, substatus = left, provisioning.DeviceDataMigrated
		}
		if again := c.cfg.Undocumented.ReturnedSubstatus; r.First == target.Name() && again != returnedAsPolicy {
			substatus = again
		}
	}
	device := hub.Device{ID: r.DeviceID, RegistrationID: r.ID, Keys: t.who.keys, X509: t.who.x509}
	*twin = target.Put(device, *twin)
	return substatus
}

// returnedAsPolicy is the value of ReturnedSubstatus that makes nothing of a
// return.
const returnedAsPolicy = "policy"

// take removes a device from the hub where it was, which need not be linked any
// more.
func (c *Cloud) take(hubName, deviceID string) (hub.Twin, bool) {
	h, linked := c.hubs[strings.ToLower(hubName)]
	if !linked {
		return hub.Twin{}, false
	}
	return h.Remove(deviceID)
}

// DeleteRegistration forgets what DPS knows of a device and gives up what it
// does for it, so that its next registration is its first; false if there is
// nothing to forget. The device stays at its hub: there it is deleted on its own
// ("How to deprovision devices").
func (c *Cloud) DeleteRegistration(id string) bool {
	r, known := c.registrations.Delete(provisioning.SameID(id))
	if r.Operation.cancel != nil {
		r.Operation.cancel()
	}
	return known
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
