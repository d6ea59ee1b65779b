package mqtt

import (
	"bytes"
	"encoding/binary"
	"time"
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

// decode takes the body of a packet apart. A CONNECT of another protocol level has a
// layout of its own, of which nothing but the level is read.
func decode(first byte, body []byte) (packet, error) {
	r := reader{rest: body}
	p := packet{Packet: Packet{Kind: PacketKind(first >> 4)}}
	switch p.Kind {
	case connectPacket:
		level, err := r.protocol()
		if err != nil || level != protocolLevel {
			p.hello = &Connect{ProtocolLevel: level}
			return p, err
		}
		p.hello = r.connect()
	case connackPacket:
		p.session, p.codes = r.connack()
	case PublishPacket:
		p.Message = r.publish(first & flagBits)
		p.ID = p.Message.ID
	case PubackPacket, unsubackPacket:
		p.ID = r.id()
	case SubscribePacket:
		p.ID, p.Filters = r.id(), r.filters(true)
	case subackPacket:
		p.ID, p.codes = r.id(), r.granted()
	case UnsubscribePacket:
		p.ID, p.Filters = r.id(), r.filters(false)
	}
	r.end()
	return p, r.err
}

// The flags of a fixed header (MQTT 3.1.1 section 2.2.2).
const (
	flagBits       = 0x0f
	retainFlag     = 0x01
	dupFlag        = 0x08
	subscribeFlags = 0x02 // of SUBSCRIBE and UNSUBSCRIBE, reserved
)

func qosOf(flags byte) byte { return flags >> 1 & 3 }

// The bits of the connect flags (MQTT 3.1.1 section 3.1.2.3).
const (
	reservedFlag     = 0x01
	cleanSessionFlag = 0x02
	willFlag         = 0x04
	willQoSShift     = 3
	willQoSBits      = 3 << willQoSShift
	willRetainFlag   = 0x20
	passwordFlag     = 0x40
	usernameFlag     = 0x80
)

// connect reads what follows protocol.
func (r *reader) connect() *Connect {
	flags := r.byte()
	r.flaw(connectFlaw(flags))
	h := &Connect{
		ProtocolLevel: protocolLevel,
		CleanSession:  flags&cleanSessionFlag != 0,
		KeepAlive:     time.Duration(r.uint16()) * time.Second,
		ClientID:      r.text(),
	}
	if flags&willFlag != 0 {
		h.Will = &Message{
			Topic:   r.text(),
			Payload: bytes.Clone(r.data()),
			QoS:     flags & willQoSBits >> willQoSShift,
			Retain:  flags&willRetainFlag != 0,
		}
		r.flaw(topicFlaw(h.Will.Topic))
	}
	if flags&usernameFlag != 0 {
		h.Username = r.text()
	}
	if flags&passwordFlag != 0 {
		h.Password = bytes.Clone(r.data())
	}
	return h
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

// sessionFlag is the one that a CONNACK has (MQTT 3.1.1 section 3.2.2.1).
const sessionFlag = 0x01

// connack leaves the return code alone: a reserved one is a refusal like others.
func (r *reader) connack() (session bool, codes []byte) {
	flags, code := r.byte(), r.byte()
	if flags > sessionFlag {
		r.flaw("MQTT 3.2.2.1", "a CONNACK with reserved flags")
	}
	session = flags == sessionFlag
	if session && code != 0 {
		r.flaw("MQTT-3.2.2-4", "a session in a CONNACK that refuses")
	}
	return session, []byte{code}
}

// publish does not judge the length of the payload, which is what is left.
func (r *reader) publish(flags byte) Message {
	m := Message{Topic: r.text(), QoS: qosOf(flags), Retain: flags&retainFlag != 0, Dup: flags&dupFlag != 0}
	r.flaw(topicFlaw(m.Topic))
	if m.QoS > 0 {
		m.ID = r.id()
	}
	m.Payload = r.remains()
	return m
}

// filters reads to the end; each has a QoS in a SUBSCRIBE, none in an UNSUBSCRIBE.
func (r *reader) filters(subscribe bool) (filters []Filter) {
	switch {
	case len(r.rest) > 0:
	case subscribe:
		r.flaw("MQTT-3.8.3-3", "a SUBSCRIBE without a filter")
	default:
		r.flaw("MQTT-3.10.3-2", "an UNSUBSCRIBE without a filter")
	}
	for len(r.rest) > 0 && r.err == nil {
		filter := Filter{Topic: r.text()}
		if subscribe {
			filter.QoS = r.byte()
		}
		r.flaw(filterFlaw(filter.Topic))
		if filter.QoS > 2 {
			r.flaw("MQTT-3.8.3-4", "a subscription to a QoS other than 0, 1 and 2")
		}
		filters = append(filters, filter)
	}
	return filters
}

// subscriptionFailed is a return code of a SUBACK (MQTT 3.1.1 section 3.9.3).
const subscriptionFailed = 0x80

// granted reads a SUBACK's return codes.
func (r *reader) granted() []byte {
	codes := r.remains()
	for _, code := range codes {
		if code > 2 && code != subscriptionFailed {
			r.flaw("MQTT-3.9.3-2", "a SUBACK with a reserved return code")
		}
	}
	return codes
}
