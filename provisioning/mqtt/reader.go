package mqtt

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	protocolName  = "MQTT"
	protocolLevel = 4
	oldName       = "MQIsdp" // of MQTT 3.1, protocol level 3
)

// reader takes the body of a packet apart and keeps the first violation. The packet
// that it makes shares nothing with the body.
type reader struct {
	rest []byte
	err  error
}

// flaw notes a violation; an empty clause is none.
func (r *reader) flaw(clause, what string) {
	if clause != "" && r.err == nil {
		r.err = violation(clause, what)
	}
}

// take returns the next n bytes. The statements about lengths have no number; a
// packet that contradicts itself is a protocol violation all the same.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.flaw("MQTT-4.8.0-1", "a packet that ends in the middle of a field")
		r.rest = nil
		return make([]byte, min(n, 2)) // enough for byte and uint16
	}
	field := r.rest[:n]
	r.rest = r.rest[n:]
	return field
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }

// data is a field that is preceded by its length.
func (r *reader) data() []byte { return r.take(int(r.uint16())) }

func (r *reader) text() string {
	text := string(r.data())
	r.flaw(textFlaw(text))
	return text
}

func (r *reader) id() uint16 {
	id := r.uint16()
	if id == 0 {
		r.flaw("MQTT-2.3.1-1", "the packet identifier 0")
	}
	return id
}

// remains is what is left of the body.
func (r *reader) remains() []byte {
	all := bytes.Clone(r.rest)
	r.rest = nil
	return all
}

func (r *reader) end() {
	if len(r.rest) > 0 {
		r.flaw("MQTT-4.8.0-1", "a packet that goes on after its last field")
	}
}

// protocol reads the beginning of a CONNECT, which is the same at every level.
func (r *reader) protocol() (level byte, err error) {
	name := r.text()
	if name != protocolName && name != oldName {
		r.flaw("MQTT-3.1.2-1", "a protocol that is not MQTT")
	}
	level = r.byte()
	if name == oldName && level == protocolLevel {
		r.flaw("MQTT-3.1.2-1", "the protocol name of MQTT 3.1 with the level of 3.1.1")
	}
	return level, r.err
}

// packet takes a body apart to its end. Of a CONNECT, protocol was read before.
func (r *reader) packet(h packets.FixedHeader) (p packets.ControlPacket, err error) {
	switch h.MessageType {
	case packets.Connect:
		p = r.connect(h)
	case packets.Connack:
		p = r.connack(h)
	case packets.Publish:
		p = r.publish(h)
	case packets.Puback:
		p = &packets.PubackPacket{FixedHeader: h, MessageID: r.id()}
	case packets.Subscribe:
		p = r.subscribe(h)
	case packets.Suback:
		p = r.suback(h)
	case packets.Unsubscribe:
		p = r.unsubscribe(h)
	case packets.Unsuback:
		p = &packets.UnsubackPacket{FixedHeader: h, MessageID: r.id()}
	default: // there is nothing in it
		p, err = packets.NewControlPacketWithHeader(h)
	}
	r.end()
	return p, cmp.Or(r.err, err)
}

// The bits of the connect flags (MQTT 3.1.1 section 3.1.2.3).
const (
	reservedFlag     = 0x01
	cleanSessionFlag = 0x02
	willFlag         = 0x04
	willQoSBits      = 0x18
	willRetainFlag   = 0x20
	passwordFlag     = 0x40
	usernameFlag     = 0x80
)

func (r *reader) connect(h packets.FixedHeader) *packets.ConnectPacket {
	flags := r.byte()
	r.flaw(connectFlaw(flags))
	p := &packets.ConnectPacket{
		FixedHeader:     h,
		ProtocolVersion: protocolLevel,
		CleanSession:    flags&cleanSessionFlag != 0,
		WillFlag:        flags&willFlag != 0,
		WillQos:         flags & willQoSBits >> 3,
		WillRetain:      flags&willRetainFlag != 0,
		UsernameFlag:    flags&usernameFlag != 0,
		PasswordFlag:    flags&passwordFlag != 0,
	}
	p.Keepalive = r.uint16()
	p.ClientIdentifier = r.text()
	if p.WillFlag {
		p.WillTopic = r.text()
		r.flaw(topicFlaw(p.WillTopic))
		p.WillMessage = bytes.Clone(r.data())
	}
	if p.UsernameFlag {
		p.Username = r.text()
	}
	if p.PasswordFlag {
		p.Password = bytes.Clone(r.data())
	}
	return p
}

func connectFlaw(flags byte) (clause, what string) {
	switch {
	case flags&reservedFlag != 0:
		return "MQTT-3.1.2-3", "a CONNECT with the reserved flag"
	case flags&willFlag == 0 && flags&willQoSBits != 0:
		return "MQTT-3.1.2-13", "a will QoS without a will"
	case flags&willFlag == 0 && flags&willRetainFlag != 0:
		return "MQTT-3.1.2-15", "a will retain without a will"
	case flags&willQoSBits == willQoSBits:
		return "MQTT-3.1.2-14", "a will of QoS 3"
	case flags&usernameFlag == 0 && flags&passwordFlag != 0:
		return "MQTT-3.1.2-22", "a password without a user name"
	}
	return "", ""
}

// connack leaves the return code alone: a reserved one is a refusal like others.
func (r *reader) connack(h packets.FixedHeader) *packets.ConnackPacket {
	flags, code := r.byte(), r.byte()
	if flags > 1 {
		r.flaw("MQTT 3.2.2.1", "a CONNACK with reserved flags")
	}
	if flags == 1 && code != 0 {
		r.flaw("MQTT-3.2.2-4", "a session in a CONNACK that refuses")
	}
	return &packets.ConnackPacket{FixedHeader: h, SessionPresent: flags == 1, ReturnCode: code}
}

// publish does not judge the length of the payload, which is what is left.
func (r *reader) publish(h packets.FixedHeader) *packets.PublishPacket {
	p := &packets.PublishPacket{FixedHeader: h, TopicName: r.text()}
	r.flaw(topicFlaw(p.TopicName))
	if h.Qos > 0 {
		p.MessageID = r.id()
	}
	p.Payload = r.remains()
	return p
}

func (r *reader) subscribe(h packets.FixedHeader) *packets.SubscribePacket {
	p := &packets.SubscribePacket{FixedHeader: h, MessageID: r.id()}
	if len(r.rest) == 0 {
		r.flaw("MQTT-3.8.3-3", "a SUBSCRIBE without a filter")
	}
	for len(r.rest) > 0 && r.err == nil {
		filter, qos := r.text(), r.byte()
		r.flaw(filterFlaw(filter))
		if qos > 2 {
			r.flaw("MQTT-3.8.3-4", "a subscription to a QoS other than 0, 1 and 2")
		}
		p.Topics, p.Qoss = append(p.Topics, filter), append(p.Qoss, qos)
	}
	return p
}

func (r *reader) suback(h packets.FixedHeader) *packets.SubackPacket {
	p := &packets.SubackPacket{FixedHeader: h, MessageID: r.id(), ReturnCodes: r.remains()}
	for _, code := range p.ReturnCodes {
		if code > 2 && code != subscriptionFailed {
			r.flaw("MQTT-3.9.3-2", "a SUBACK with a reserved return code")
		}
	}
	return p
}

func (r *reader) unsubscribe(h packets.FixedHeader) *packets.UnsubscribePacket {
	p := &packets.UnsubscribePacket{FixedHeader: h, MessageID: r.id()}
	if len(r.rest) == 0 {
		r.flaw("MQTT-3.10.3-2", "an UNSUBSCRIBE without a filter")
	}
	for len(r.rest) > 0 && r.err == nil {
		filter := r.text()
		r.flaw(filterFlaw(filter))
		p.Topics = append(p.Topics, filter)
	}
	return p
}
