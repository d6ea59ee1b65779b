package emulator

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// session is one connection of a device to DPS. DPS keeps no MQTT session beyond
// it, whatever CleanSession says (DPS over MQTT). Two connections of one device
// may live side by side: what the service does with the first is documented
// nowhere, and to keep it harms nobody.
type session struct {
	applicant
	conn       *mqtt.Conn
	subscribed bool
	qos        byte // as granted; answers have it
	waiting    []*answer
}

// serveDPS serves a connection whose CONNECT named DPS. Bad credentials are let
// in here and refused on the registration, as the live service does.
func (c *Cloud) serveDPS(conn *mqtt.Conn, hello mqtt.Connect, user provisioning.DPSUser, chain []*x509.Certificate) (talk, error) {
	// Support engineers say that an unknown id scope looks like a service that
	// is away (azure-iot-sdk-python issue 670).
	if user.IDScope != c.cfg.IDScope {
		return nil, refuse(conn, serverUnavailable, fmt.Sprintf("the id scope is %q, not %s", user.IDScope, c.cfg.IDScope))
	}
	if !strings.EqualFold(hello.ClientID, user.RegistrationID) {
		return nil, refuse(conn, notAuthorized, "the client id is not the registration id of the user name")
	}
	if err := c.turnAway(conn, c.fault(FaultAtConnect, user.RegistrationID)); err != nil {
		return nil, err
	}
	// Once, here: tokens are for the CONNECT, and a token that expires later
	// does not end a registration that has begun.
	who := c.identify(user, hello.Password, chain...)
	if errors.Is(who.doubt, errOtherName) { // seen so: azure-docs issue 69882
		return nil, refuse(conn, notAuthorized, who.doubt.Error())
	}
	if who.doubt != nil && c.cfg.Undocumented.RefuseAtConnect {
		return nil, refuse(conn, notAuthorized, who.doubt.Error())
	}
	s := &session{applicant: applicant{c, who}, conn: conn}
	return func(func()) (bool, error) { return false, s.serve() }, conn.Connack(0)
}

// serve reads, and between two packets writes the answers that are due. So an
// answer that takes its time costs neither a goroutine nor a timer.
func (s *session) serve() error {
	defer s.abandon()
	for {
		next, err := s.deliver(time.Now())
		if err != nil {
			return err
		}
		err = s.conn.Ready(next) // MQTT's own keep-alive is in there
		if errors.Is(err, os.ErrDeadlineExceeded) && !next.IsZero() && !time.Now().Before(next) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a packet: %w", err)
		}
		if over, err := s.turn(); over || err != nil {
			return err
		}
	}
}

// turn serves the packet that has begun to come; over is after a DISCONNECT. It
// is apart from serve because that must be shallow: see mqtt.Conn.Ready.
func (s *session) turn() (over bool, err error) {
	packet, err := s.conn.Read(time.Unix(1, 0)) // and waits for no other
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil // it was a PINGREQ
	case err != nil:
		return true, err
	case packet.Kind == mqtt.DisconnectPacket:
		return true, nil
	}
	return false, s.handle(packet)
}

// deliver writes what is due and says when the next answer is; never, if zero.
func (s *session) deliver(now time.Time) (next time.Time, err error) {
	left := s.waiting[:0]
	for _, a := range s.waiting {
		if !a.due.After(now) {
			err = errors.Join(err, s.write(a))
			continue
		}
		if next.IsZero() || a.due.Before(next) {
			next = a.due
		}
		left = append(left, a)
	}
	s.waiting = left
	return next, err
}

// write records the exchange, then lets the answer go. Without a subscription
// there is nowhere to send it.
func (s *session) write(a *answer) error {
	s.cloud.note(s.who.registrationID, a, "")
	if !s.subscribed {
		return nil
	}
	return s.conn.Write(mqtt.Message{Topic: a.topic.String(), Payload: a.body, QoS: s.qos})
}

// abandon records the answers that the device did not wait for.
func (s *session) abandon() {
	for _, a := range s.waiting {
		s.cloud.note(s.who.registrationID, a, gone)
	}
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
	return nil // a PUBACK; nothing is sent twice here
}

// subscribe grants the one filter that DPS has; QoS 2 becomes 1 (DPS over MQTT).
func (s *session) subscribe(packet mqtt.Packet) error {
	granted := make([]byte, 0, len(packet.Filters))
	for _, filter := range packet.Filters {
		// DPS is no general broker. That it hangs up is how IoT Hub answers;
		// DPS's own way is documented nowhere.
		if filter.Topic != provisioning.AnswerFilter {
			return fmt.Errorf("%q is not the filter that DPS allows", filter.Topic)
		}
		s.subscribed, s.qos = true, min(filter.QoS, 1)
		granted = append(granted, s.qos)
	}
	return s.conn.Suback(packet.ID, granted)
}

// unsubscribe is what Node's and Python's SDKs do before they leave; both wait
// for the UNSUBACK.
func (s *session) unsubscribe(packet mqtt.Packet) error {
	for _, filter := range packet.Filters {
		if filter.Topic == provisioning.AnswerFilter {
			s.subscribed = false
		}
	}
	return s.conn.Unsuback(packet.ID)
}

// publish serves a registration or a poll. The PUBACK goes first: C#'s SDK
// takes nothing else after its PUBLISH.
func (s *session) publish(m mqtt.Message) error {
	came := time.Now()
	request, err := provisioning.ParseRequest(m.Topic)
	if err != nil {
		return fmt.Errorf("the device published on %q: %w", m.Topic, err)
	}
	if m.QoS > 0 {
		if err := s.conn.Puback(m.ID); err != nil {
			return err
		}
	}
	if len(s.waiting) >= maxUnanswered {
		return fmt.Errorf("the device sent %d requests without waiting for an answer", maxUnanswered+1)
	}
	if request.Poll {
		return s.take(s.poll(request, came))
	}
	return s.take(s.register(request, m.Payload, came))
}

// take writes an answer, or keeps it until it is due. One that is due stays behind
// those that came before it.
func (s *session) take(a *answer) error {
	switch {
	case a.lost != "":
		return s.lose(a)
	case a.due.IsZero(), len(s.waiting) == 0 && !a.due.After(time.Now()):
		return s.write(a)
	}
	s.waiting = append(s.waiting, a)
	return nil
}
