package hub

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// Why a hub ends a connection. A client never sees the texts: MQTT 3.1.1 has no
// way to tell them.
var (
	errReplaced = errors.New("400027 ConnectionForcefullyClosedOnNewConnection: the device connected once more")
	errRemoved  = errors.New("404001 DeviceNotFound: the device was removed from the hub")
	errDisabled = errors.New("403012 DeviceDisabled: the device was disabled at the hub")
	errExpired  = errors.New("401003 IotHubUnauthorized: the token has expired")
)

// session is one connection of one device. Its goroutine owns it; others read
// conn and the two atomics.
type session struct {
	hub    *Hub
	conn   *mqtt.Conn
	device Device
	expiry time.Time
	will   *mqtt.Message
	number int64 // grows from one connection of a device to its next
	wants  subscriptions
	box    *mailbox // nil until it is needed

	keeps, resumed              bool // the MQTT session, clean session 0
	begun                       bool
	wantsDesired, wantsMessages atomic.Bool
}

// maxKeepAlive is what a hub goes by at most (hub over MQTT: 1767 s).
const maxKeepAlive = 1767 * time.Second

// quiet is how long a device says nothing before its connection is parked.
const quiet = time.Second

// Serve serves a connection from its CONNACK on. If it returns parked, it lets the
// goroutine go, and resume will be called on another when there is something to do
// (mqtt.Conn.Park): that one calls Serve again. Otherwise the connection is over, and
// err says why, nil after a DISCONNECT.
type Serve func(resume func()) (parked bool, err error)

// Admit lets a connection in whose CONNECT named this hub, or refuses it. What it
// returns must be called, from a shallow place: see mqtt.Conn.Ready. The caller
// closes the connection. Chain is what the client brought to the TLS handshake, if
// anything.
func (h *Hub) Admit(conn *mqtt.Conn, hello mqtt.Connect, user provisioning.HubUser, chain ...*x509.Certificate) (Serve, error) {
	came := time.Now()
	device, expiry, refused := h.admit(hello, user, chain)
	if refused != nil {
		h.join(came, device, 401, refused.reason)
		return nil, errors.Join(errors.New(refused.reason), conn.Connack(refused.code))
	}
	if err := checkWill(hello.Will, device.ID); err != nil {
		return nil, err
	}
	conn.LimitKeepAlive(maxKeepAlive)
	s := &session{hub: h, conn: conn, device: device, expiry: expiry, will: hello.Will}
	h.takeOver(s)
	h.join(came, device, 200, "")
	s.resume(hello.CleanSession)
	return s.live, nil
}

// live is the connection's life, or the part of it until it is parked.
func (s *session) live(resume func()) (parked bool, err error) {
	if err = s.begin(); err == nil {
		parked, err = s.serve(resume)
	}
	if parked {
		return true, nil
	}
	if err != nil && s.will != nil {
		s.publishWill(*s.will)
	}
	s.hub.leave(s)
	return false, err
}

// begin answers the CONNECT, once. A session that was kept has its subscriptions, and
// gets what waited for them.
func (s *session) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	if !s.resumed {
		return s.conn.Connack(0)
	}
	s.apply()
	if err := s.conn.Resume(); err != nil {
		return err
	}
	return s.deliver()
}

// join records a CONNECT, unless it named a device that nobody knows.
func (h *Hub) join(came time.Time, d Device, status int, reason string) {
	if d.ID == "" {
		return
	}
	h.opt.Record(provisioning.Exchange{
		Kind: provisioning.ExchangeJoin, RegistrationID: d.RegistrationID,
		At: came, Took: time.Since(came), Status: status, Err: reason, Hub: h.name,
	})
}

// serve reads, and writes what waits for the device whenever it is woken. A device
// that says nothing for a while is parked if it can be.
func (s *session) serve(resume func()) (parked bool, err error) {
	for {
		until := s.patience()
		err := s.conn.Ready(until)
		now := time.Now()
		switch {
		case err == nil:
			over, err := s.turn()
			if over || err != nil {
				return false, err
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return false, fmt.Errorf("reading a packet: %w", err)
		case !s.expiry.IsZero() && !now.Before(s.expiry):
			return false, errExpired
		default: // a Wake, or it is quiet
			if err := s.deliver(); err != nil {
				return false, err
			}
			if !now.Before(until) && s.conn.Park(s.expiry, resume) {
				return true, nil
			}
		}
	}
}

// patience is how long serve waits on its goroutine.
func (s *session) patience() time.Time {
	soon := time.Now().Add(quiet)
	if !s.conn.CanPark() || !s.expiry.IsZero() && s.expiry.Before(soon) {
		return s.expiry
	}
	return soon
}

// turn serves the packet that has begun to come; over is after a DISCONNECT. It
// is apart from serve because that must be shallow.
func (s *session) turn() (over bool, err error) {
	packet, err := s.conn.Read(time.Unix(1, 0)) // and waits for no other
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, s.deliver() // it was a PINGREQ, or a Wake came meanwhile
	case err != nil:
		return true, err
	case packet.Kind == mqtt.DisconnectPacket:
		return true, nil
	}
	return false, s.handle(packet)
}

func (s *session) handle(packet mqtt.Packet) error {
	switch packet.Kind {
	case mqtt.SubscribePacket:
		return s.subscribe(packet)
	case mqtt.UnsubscribePacket:
		return s.unsubscribe(packet)
	case mqtt.PublishPacket:
		return s.publish(packet.Message)
	}
	if s.box == nil {
		return nil // a PUBACK of nothing
	}
	s.box.done(packet.ID)
	return s.deliver()
}

// publish serves what a device publishes. The PUBACK goes first, then the
// answer. A hub has no other way to say that it does not take a message than to
// hang up (hub over MQTT).
func (s *session) publish(m mqtt.Message) error {
	came := time.Now()
	request, err := provisioning.ParseHubRequest(m.Topic, s.device.ID)
	if err != nil {
		return fmt.Errorf("the device published on %q: %w", m.Topic, err)
	}
	if len(m.Payload) > maxMessage {
		return fmt.Errorf("413001 MessageTooLarge: a message of %d bytes", len(m.Payload))
	}
	if request.Op == provisioning.Telemetry { // its PUBACK says that it is stored
		s.telemetry(request.Properties, m)
	}
	if m.QoS > 0 {
		if err := s.conn.Puback(m.ID); err != nil {
			return err
		}
	}
	switch request.Op {
	case provisioning.TwinGet:
		return s.twin(request, came)
	case provisioning.ReportedPatch:
		return s.reported(request, m.Payload)
	case provisioning.MethodAnswer:
		return s.methodAnswer(request, m.Payload)
	}
	return nil
}

// twin answers with the whole twin. The request's body is not looked at: Node's
// SDK sends a blank.
func (s *session) twin(request provisioning.HubRequest, came time.Time) error {
	twin, known := s.hub.Twin(s.device.ID)
	if !known {
		return errRemoved
	}
	if err := s.hub.opt.TwinFault(s.device.RegistrationID); err != nil {
		return s.failTwin(request, came, err)
	}
	s.hub.totals.twinReads.Add(1)
	s.hub.opt.Record(provisioning.Exchange{
		Kind: provisioning.ExchangeTwin, RegistrationID: s.device.RegistrationID,
		At: came, Took: time.Since(came), Status: 200, Tags: twin.Tags, Hub: s.hub.name,
	})
	return s.answer(provisioning.TwinAnswer{Status: 200, RequestID: request.RequestID}, twin.JSON())
}

// reported merges a patch and answers 204 with the new version and no body, or
// 400 and why.
func (s *session) reported(request provisioning.HubRequest, patch []byte) error {
	twin, err := s.hub.change(s.device.ID, func(t Twin) (Twin, error) { return t.patchReported(patch) })
	if errors.Is(err, errUnknownDevice) {
		return errRemoved
	}
	x := provisioning.Exchange{Kind: provisioning.ExchangeReported, At: time.Now(), Status: 204, Asked: patch}
	if err != nil {
		x.Status, x.Err = 400, err.Error()
		s.observe(x)
		return s.answer(provisioning.TwinAnswer{Status: 400, RequestID: request.RequestID}, badPatch(err))
	}
	s.observe(x)
	s.hub.totals.twinPatches.Add(1)
	return s.answer(provisioning.TwinAnswer{Status: 204, RequestID: request.RequestID, Version: twin.ReportedVersion}, nil)
}

func badPatch(err error) []byte {
	var o provisioning.Object
	o.Int("errorCode", int64(provisioning.BadRequest))
	o.Text("message", "ArgumentInvalid: the patch is not taken: "+err.Error())
	return o.Bytes()
}

// answer goes out at QoS 0, whatever was subscribed, as the service's do. A
// device that has not subscribed loses it.
func (s *session) answer(topic provisioning.TwinAnswer, body []byte) error {
	if s.wants.answers == 0 {
		return nil
	}
	return s.conn.Write(mqtt.Message{Topic: topic.String(), Payload: body})
}
