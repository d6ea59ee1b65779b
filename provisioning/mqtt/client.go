package mqtt

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Connect sends CONNECT and waits for the CONNACK. One that refuses is a
// *RefusedError.
func (c *Conn) Connect(hello Connect, until time.Time) error {
	p, err := hello.packet()
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	if err := c.write(p); err != nil {
		return err
	}
	answer, err := c.next(until)
	if err != nil {
		return fmt.Errorf("waiting for CONNACK: %w", err)
	}
	connack, ok := answer.(*packets.ConnackPacket)
	if !ok {
		return c.end(violation("MQTT-3.2.0-1", "the server's first packet is not CONNACK"))
	}
	if connack.ReturnCode != 0 {
		return c.end(&RefusedError{Code: connack.ReturnCode})
	}
	if connack.SessionPresent && hello.CleanSession {
		return c.end(violation("MQTT-3.2.2-1", "the server has a session that was to be clean"))
	}
	c.connected, c.keepAlive = true, hello.KeepAlive
	return nil
}

func (h Connect) packet() (*packets.ConnectPacket, error) {
	seconds := h.KeepAlive / time.Second
	if seconds < 0 || seconds > math.MaxUint16 || seconds*time.Second != h.KeepAlive {
		return nil, fmt.Errorf("the keep-alive %v is not a number of seconds up to 65535", h.KeepAlive)
	}
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion = protocolName, protocolLevel
	p.CleanSession, p.Keepalive = h.CleanSession, uint16(seconds)
	p.ClientIdentifier = h.ClientID
	p.Username, p.Password = h.Username, h.Password
	p.PasswordFlag = h.Password != nil
	p.UsernameFlag = h.Username != "" || p.PasswordFlag // [MQTT-3.1.2-22]
	if h.Will != nil {
		if err := h.Will.check(); err != nil {
			return nil, fmt.Errorf("the will: %w", err)
		}
		p.WillFlag, p.WillQos, p.WillRetain = true, h.Will.QoS, h.Will.Retain
		p.WillTopic, p.WillMessage = h.Will.Topic, h.Will.Payload
	}
	return p, h.check()
}

// Subscribe sends one SUBSCRIBE with all filters and waits for its SUBACK. It
// returns the granted QoS of each; where the server refuses a filter, an error
// that names it.
func (c *Conn) Subscribe(until time.Time, qos byte, filters ...string) ([]byte, error) {
	if err := checkFilters(qos, filters); err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics = c.nextID(), filters
	p.Qoss = slices.Repeat([]byte{qos}, len(filters))
	if err := c.write(p); err != nil {
		return nil, err
	}
	var granted []byte
	err := c.await(until, "SUBACK", func(answer packets.ControlPacket) bool {
		suback, ok := answer.(*packets.SubackPacket)
		if !ok || suback.MessageID != p.MessageID {
			return false
		}
		granted = suback.ReturnCodes
		return true
	})
	if err != nil {
		return nil, err
	}
	if len(granted) != len(filters) {
		return nil, c.end(violation("MQTT-3.8.4-5", "a SUBACK without a return code for each filter"))
	}
	if i := slices.Index(granted, subscriptionFailed); i >= 0 {
		return granted, fmt.Errorf("the server refused the subscription to %q", filters[i])
	}
	return granted, nil
}

// subscriptionFailed is the return code of a SUBACK (MQTT 3.1.1 section 3.9.3).
const subscriptionFailed = 0x80

// Publish sends m; with QoS 1 it returns after the PUBACK. Messages that arrive
// meanwhile are kept for Receive.
func (c *Conn) Publish(m Message, until time.Time) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	id, err := c.publish(m)
	if err != nil || m.QoS == 0 {
		return err
	}
	return c.await(until, "PUBACK", func(answer packets.ControlPacket) bool {
		puback, ok := answer.(*packets.PubackPacket)
		return ok && puback.MessageID == id
	})
}

// Receive returns the next message, acknowledged if it has QoS 1. It keeps the
// connection alive, as every call that waits does: a client that has nothing to
// do should be in it. A PINGRESP that does not come ends the connection.
func (c *Conn) Receive(until time.Time) (Message, error) {
	for len(c.kept) == 0 {
		p, err := c.next(until)
		if err == nil {
			err = c.aside(p)
		}
		if err != nil {
			return Message{}, fmt.Errorf("waiting for a message: %w", err)
		}
	}
	if err := c.over(); err != nil {
		return Message{}, fmt.Errorf("taking a message: %w", err)
	}
	m := c.kept[0]
	c.kept = c.kept[1:]
	if len(c.kept) == 0 {
		c.kept = nil
	}
	return m, nil
}

// Disconnect says goodbye and closes the connection.
func (c *Conn) Disconnect() error {
	defer c.Close()
	return c.write(packets.NewControlPacket(packets.Disconnect))
}

// await reads until is knows its answer, and lays aside what else comes.
func (c *Conn) await(until time.Time, what string, is func(packets.ControlPacket) bool) error {
	for {
		p, err := c.next(until)
		if err == nil && is(p) {
			return nil
		}
		if err == nil {
			err = c.aside(p)
		}
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

// aside takes a packet that nobody waits for. An acknowledgement may be late: its
// call has given up.
func (c *Conn) aside(p packets.ControlPacket) error {
	switch p := p.(type) {
	case *packets.PublishPacket:
		return c.keep(p)
	case *packets.PingrespPacket:
		c.pongBy = time.Time{}
		return nil
	case *packets.PubackPacket, *packets.SubackPacket, *packets.UnsubackPacket:
		return nil
	}
	return c.end(violation("MQTT-4.8.0-1", "the server sent "+packetName(p)))
}

// keep acknowledges a message and keeps it for Receive. A server may send while
// its client waits for something else, but not without end.
func (c *Conn) keep(p *packets.PublishPacket) error {
	m := message(p)
	if len(c.kept) == maxOutbox {
		return c.end(errTooMany)
	}
	c.kept = append(c.kept, m)
	if m.QoS == 0 {
		return nil
	}
	return c.puback(m.ID)
}
