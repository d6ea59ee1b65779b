package hub

import (
	"crypto/x509"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// CONNACK return codes of MQTT 3.1.1 section 3.2.2.3, as a hub uses them.
const (
	identifierRejected = 2
	notAuthorized      = 5
)

// refusal is a CONNACK other than 0, with our reason for the log.
type refusal struct {
	code   byte
	reason string
}

// admit checks who connects (hub over MQTT, "Connecting to IoT Hub"): the token
// must be signed with a key of the device, which is the one that signed its
// token at DPS, or the chain be the one that DPS took.
func (h *Hub) admit(hello mqtt.Connect, user provisioning.HubUser, chain []*x509.Certificate) (Device, time.Time, *refusal) {
	e, known := h.devices.Get(user.DeviceID)
	switch {
	case hello.ClientID != user.DeviceID:
		return e.device, time.Time{}, &refusal{identifierRejected, "the client id is not the device id of the user name"}
	case !known:
		return e.device, time.Time{}, &refusal{notAuthorized, "404001 DeviceNotFound: the hub has no such device"}
	}
	expiry, err := e.device.prove(user, hello.Password, chain)
	switch {
	case err != nil:
		return e.device, time.Time{}, &refusal{notAuthorized, err.Error()}
	case e.device.Disabled:
		return e.device, time.Time{}, &refusal{h.opt.DisabledConnack, "403012 DeviceDisabled: the device is disabled at the hub"}
	}
	return e.device, expiry, nil
}

// takeOver makes s the device's one connection; an earlier one is closed
// (hub over MQTT: one connection a device).
func (h *Hub) takeOver(s *session) {
	var earlier *session
	h.sessions.Update(s.device.ID, func(old *session, _ bool) (*session, bool) {
		earlier = old
		s.number = h.totals.joins.Add(1)
		return s, true
	})
	if earlier != nil {
		earlier.conn.Kick(errReplaced)
	}
}

// leave forgets s, unless another connection has taken over.
func (h *Hub) leave(s *session) {
	if s.box != nil {
		s.box.release(s)
	}
	h.sessions.Update(s.device.ID, func(now *session, _ bool) (*session, bool) {
		return now, now != nil && now != s
	})
}
