package mqtt

import (
	"fmt"
	"slices"
	"time"
)

// Connect sends CONNECT and waits for the CONNACK. One that refuses is a
// *RefusedError.
func (c *Conn) Connect(hello Connect, until time.Time) error {
	if err := hello.check(); err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	if err := c.write(connectPacket, func(b []byte) []byte { return appendConnect(b, &hello) }); err != nil {
		return err
	}
	answer, err := c.next(until)
	if err != nil {
		return fmt.Errorf("waiting for CONNACK: %w", err)
	}
	if answer.Kind != connackPacket {
		return c.end(violation("MQTT-3.2.0-1", "the server's first packet is not CONNACK"))
	}
	if code := answer.codes[0]; code != 0 {
		return c.end(&RefusedError{Code: code})
	}
	if answer.session && hello.CleanSession {
		return c.end(violation("MQTT-3.2.2-1", "the server has a session that was to be clean"))
	}
	c.connected, c.keepAlive = true, hello.KeepAlive
	return nil
}

// Subscribe sends one SUBSCRIBE with all filters and waits for its SUBACK. It
// returns the granted QoS of each; where the server refuses a filter, an error
// that names it.
func (c *Conn) Subscribe(until time.Time, qos byte, filters ...string) ([]byte, error) {
	if err := checkFilters(qos, filters); err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	id := c.nextID()
	if err := c.write(SubscribePacket, func(b []byte) []byte { return appendSubscribe(b, id, qos, filters) }); err != nil {
		return nil, err
	}
	granted, err := c.await(until, subackPacket, id)
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
	_, err = c.await(until, PubackPacket, id)
	return err
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
	cork(c.nc)
	return c.signal(DisconnectPacket)
}

// await reads until the acknowledgement comes that it names, and lays aside what else
// comes.
func (c *Conn) await(until time.Time, kind PacketKind, id uint16) (codes []byte, err error) {
	for {
		p, err := c.next(until)
		if err == nil && p.Kind == kind && p.ID == id {
			return p.codes, nil
		}
		if err == nil {
			err = c.aside(p)
		}
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", kind, err)
		}
	}
}

// aside takes a packet that nobody waits for. An acknowledgement may be late: its
// call has given up.
func (c *Conn) aside(p packet) error {
	switch p.Kind {
	case PublishPacket:
		return c.keep(p.Message)
	case pingrespPacket:
		c.pongBy = time.Time{}
		return nil
	case PubackPacket, subackPacket, unsubackPacket:
		return nil
	}
	return c.end(violation("MQTT-4.8.0-1", "the server sent "+p.Kind.String()))
}

// keep acknowledges a message and keeps it for Receive. A server may send while
// its client waits for something else, but not without end.
func (c *Conn) keep(m Message) error {
	if len(c.kept) == maxOutbox {
		return c.end(errTooMany)
	}
	c.kept = append(c.kept, m)
	if m.QoS == 0 {
		return nil
	}
	return c.puback(m.ID)
}
