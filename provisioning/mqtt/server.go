package mqtt

import (
	"fmt"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
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
	connect, ok := p.(*packets.ConnectPacket)
	if !ok {
		return Connect{}, c.end(violation("MQTT-3.1.0-1", "the client's first packet is not CONNECT"))
	}
	c.connected = true
	c.keepAlive = time.Duration(connect.Keepalive) * time.Second
	return hello(connect), nil
}

func hello(p *packets.ConnectPacket) Connect {
	h := Connect{
		ClientID:      p.ClientIdentifier,
		Username:      p.Username,
		CleanSession:  p.CleanSession,
		KeepAlive:     time.Duration(p.Keepalive) * time.Second,
		ProtocolLevel: p.ProtocolVersion,
	}
	if p.PasswordFlag {
		h.Password = p.Password
	}
	if p.WillFlag {
		h.Will = &Message{Topic: p.WillTopic, Payload: p.WillMessage, QoS: p.WillQos, Retain: p.WillRetain}
	}
	return h
}

// Resume answers the CONNECT with 0 and says that a session is present: the
// server kept one of this client [MQTT-3.2.2-2].
func (c *Conn) Resume() error {
	p := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	p.SessionPresent = true
	return c.write(p)
}

// LimitKeepAlive cuts a client's keep-alive to what its server goes by. One that
// is switched off stays so.
func (c *Conn) LimitKeepAlive(most time.Duration) { c.keepAlive = min(c.keepAlive, most) }

// LimitPackets changes Options.MaxPacket from the next packet on. Who a client is
// the CONNECT tells, and with it how large its packets may be.
func (c *Conn) LimitPackets(most int) { c.opt.MaxPacket = most }

// Connack answers the CONNECT with a code, and without a session.
func (c *Conn) Connack(code byte) error {
	p := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	p.ReturnCode = code
	return c.write(p)
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
		if _, ping := p.(*packets.PingreqPacket); !ping {
			return c.received(p)
		}
		if err := c.write(packets.NewControlPacket(packets.Pingresp)); err != nil {
			return Packet{}, err
		}
	}
}

func (c *Conn) received(p packets.ControlPacket) (Packet, error) {
	switch p := p.(type) {
	case *packets.PublishPacket:
		return Packet{Kind: PublishPacket, Message: message(p), ID: p.MessageID}, nil
	case *packets.PubackPacket:
		return Packet{Kind: PubackPacket, ID: p.MessageID}, nil
	case *packets.SubscribePacket:
		filters := make([]Filter, len(p.Topics))
		for i, topic := range p.Topics {
			filters[i] = Filter{Topic: topic, QoS: p.Qoss[i]}
		}
		return Packet{Kind: SubscribePacket, ID: p.MessageID, Filters: filters}, nil
	case *packets.UnsubscribePacket:
		filters := make([]Filter, len(p.Topics))
		for i, topic := range p.Topics {
			filters[i] = Filter{Topic: topic}
		}
		return Packet{Kind: UnsubscribePacket, ID: p.MessageID, Filters: filters}, nil
	case *packets.DisconnectPacket:
		return Packet{Kind: DisconnectPacket}, nil
	case *packets.ConnectPacket:
		return Packet{}, c.end(violation("MQTT-3.1.0-2", "a second CONNECT"))
	}
	return Packet{}, c.end(violation("MQTT-4.8.0-1", "the client sent "+packetName(p)))
}

// Puback acknowledges a QoS 1 message: ahead of the next packet, or before the
// owner next waits.
func (c *Conn) Puback(id uint16) error { return c.puback(id) }

// Unsuback acknowledges an UNSUBSCRIBE.
func (c *Conn) Unsuback(id uint16) error {
	p := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
	p.MessageID = id
	return c.write(p)
}

// Suback answers a SUBSCRIBE with the granted QoS of each filter, or 0x80 for one
// that is refused.
func (c *Conn) Suback(id uint16, granted []byte) error {
	p := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	p.MessageID, p.ReturnCodes = id, granted
	return c.write(p)
}

func message(p *packets.PublishPacket) Message {
	return Message{
		Topic:   p.TopicName,
		Payload: p.Payload,
		QoS:     p.Qos,
		Retain:  p.Retain,
		Dup:     p.Dup,
		ID:      p.MessageID,
	}
}
