package mqtt

import (
	"fmt"
	"time"
)

// Accept waits for the client's CONNECT. A protocol level other than 4 is not an
// error: nothing else of that CONNECT is read, and the server answers CONNACK 1
// [MQTT-3.1.2-2]. So it is with an empty client id without a clean session, which
// MQTT answers with CONNACK 2 [MQTT-3.1.3-8].
func (c *Conn) Accept(until time.Time) (Connect, error) {
	c.server = true
	p, err := c.next(until)
	if err != nil {
		return Connect{}, fmt.Errorf("waiting for CONNECT: %w", err)
	}
	if p.Kind != connectPacket {
		return Connect{}, c.end(violation("MQTT-3.1.0-1", "the client's first packet is not CONNECT"))
	}
	c.connected = true
	c.keepAlive = p.hello.KeepAlive
	return *p.hello, nil
}

// Resume answers the CONNECT with 0 and says that a session is present: the
// server kept one of this client [MQTT-3.2.2-2].
func (c *Conn) Resume() error { return c.connack(true, 0) }

// LimitKeepAlive cuts a client's keep-alive to what its server goes by. One that
// is switched off stays so.
func (c *Conn) LimitKeepAlive(most time.Duration) { c.keepAlive = min(c.keepAlive, most) }

// LimitPackets changes Options.MaxPacket from the next packet on. Who a client is
// the CONNECT tells, and with it how large its packets may be.
func (c *Conn) LimitPackets(most int) { c.opt.MaxPacket = most }

// Connack answers the CONNECT with a code, and without a session.
func (c *Conn) Connack(code byte) error { return c.connack(false, code) }

func (c *Conn) connack(session bool, code byte) error {
	return c.write(connackPacket, func(b []byte) []byte { return appendConnack(b, session, code) })
}

// Read returns the client's next packet. Meanwhile it writes what others sent,
// and it answers PINGREQ itself. A client from which nothing came for 1.5 times
// its keep-alive is hung up on.
func (c *Conn) Read(until time.Time) (Packet, error) {
	for {
		p, err := c.next(until)
		if err != nil {
			return Packet{}, fmt.Errorf("reading a packet: %w", err)
		}
		switch p.Kind {
		case pingreqPacket:
			if err := c.signal(pingrespPacket); err != nil {
				return Packet{}, err
			}
		case PublishPacket, PubackPacket, SubscribePacket, UnsubscribePacket, DisconnectPacket:
			return p.Packet, nil
		case connectPacket:
			return Packet{}, c.end(violation("MQTT-3.1.0-2", "a second CONNECT"))
		default:
			return Packet{}, c.end(violation("MQTT-4.8.0-1", "the client sent "+p.Kind.String()))
		}
	}
}

// Puback acknowledges a QoS 1 message: ahead of the next packet, or before the
// owner next waits.
func (c *Conn) Puback(id uint16) error { return c.puback(id) }

// Unsuback acknowledges an UNSUBSCRIBE.
func (c *Conn) Unsuback(id uint16) error { return c.acknowledge(unsubackPacket, id) }

// Suback answers a SUBSCRIBE with the granted QoS of each filter, or 0x80 for one
// that is refused.
func (c *Conn) Suback(id uint16, granted []byte) error {
	return c.acknowledge(subackPacket, id, granted...)
}

func (c *Conn) acknowledge(kind PacketKind, id uint16, codes ...byte) error {
	return c.write(kind, func(b []byte) []byte { return appendAck(b, kind, id, codes...) })
}
