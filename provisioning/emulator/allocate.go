package emulator

import (
	"cmp"
	"context"
	"encoding/json"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// task is one registration that is to be given a hub.
type task struct {
	who         *identity
	record      *provisioning.Enrollment
	payload     json.RawMessage
	operationID string
	// Where the device is assigned already; empty before its first time.
	hub, deviceID string
	stale         bool // the hub that was found refuses DPS
}

func (t *task) disabled() bool { return t.record.Provisioning == provisioning.ProvisioningDisabled }

// stays reports whether the enrollment keeps the device where it is.
func (t *task) stays() bool { return t.hub != "" && !t.record.Reprovision.UpdateHubAssignment }

// current reports whether the device has not registered again meanwhile.
func (t *task) current(r *registration) bool { return r.Operation.ID == t.operationID }

func (t *task) key() string { return provisioning.SameID(t.who.registrationID) }

// begin starts an operation and finds a hub, at once where no webhook is asked. A
// webhook is asked on every registration, whatever the policy of re-provisioning
// (custom allocation), in a goroutine of its own: with its retries it may take
// 415 s, and the device polls meanwhile.
func (c *Cloud) begin(t *task) {
	if t.disabled() || t.record.Allocation != provisioning.AllocateCustom {
		c.open(t, nil)
		c.settle(t, &allocation.Verdict{Hub: c.choose(t)})
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.open(t, cancel)
	c.running.Go(func() {
		defer cancel()
		verdict := c.client(t).Allocate(ctx, t.record.CustomAllocation.WebhookURL, c.request(t))
		if verdict.Err == nil && ctx.Err() == nil {
			c.settle(t, &verdict)
		}
	})
}

// request is what the webhook is asked.
func (c *Cloud) request(t *task) allocation.Request {
	shown := t.record.Shown()
	request := allocation.Request{
		DeviceRuntimeContext: allocation.RuntimeContext{
			RegistrationID:        &t.who.registrationID,
			CurrentIoTHubHostName: t.hub,
			CurrentDeviceID:       t.deviceID,
			Payload:               t.payload,
		},
		LinkedHubs: c.candidates(t),
	}
	c.showProof(&request.DeviceRuntimeContext, t.who)
	if t.who.group {
		request.EnrollmentGroup = &shown
		return request
	}
	request.IndividualEnrollment = &shown
	return request
}

// candidates are the hubs that a device may be sent to: with "never
// re-provision" the one where it is.
func (c *Cloud) candidates(t *task) []string {
	if t.stays() {
		return []string{t.hub}
	}
	return c.linkedHubs(t.record)
}

// choose is the static policy, the one of the lowest latency, and the hashed one,
// which DPS hashes for in a way of its own. A record that is disabled gets no hub.
func (c *Cloud) choose(t *task) string {
	if t.disabled() {
		return ""
	}
	hubs := c.candidates(t)
	if t.record.Allocation == provisioning.AllocateStatic && !t.stays() {
		return cmp.Or(t.record.IoTHubHostName, hubs[0])
	}
	if t.record.Allocation == provisioning.AllocateGeoLatency {
		hubs = c.nearest(hubs, t)
	}
	return c.heaviest(hubs, t.key())
}
