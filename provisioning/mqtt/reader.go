package mqtt

import (
	"encoding/binary"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	protocolName  = "MQTT"
	protocolLevel = 4
	oldName       = "MQIsdp" // of MQTT 3.1, protocol level 3
)

// reader walks over the body of a packet and keeps the first violation. It takes
// nothing out; that is the codec's, once all is well.
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

func (r *reader) id() {
	if r.uint16() == 0 {
		r.flaw("MQTT-2.3.1-1", "the packet identifier 0")
	}
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

// check walks over a body to its end. Of a CONNECT, protocol was read before.
func (r *reader) check(h packets.FixedHeader) error {
	switch h.MessageType {
	case packets.Connect:
		r.connect()
	case packets.Connack:
		r.connack()
	case packets.Publish:
		r.publish(h.Qos)
	case packets.Subscribe:
		r.subscribe()
	case packets.Suback:
		r.suback()
	case packets.Unsubscribe:
		r.unsubscribe()
	case packets.Puback, packets.Unsuback:
		r.id()
	}
	r.end()
	return r.err
}

// The bits of the connect flags (MQTT 3.1.1 section 3.1.2.3).
const (
	reservedFlag   = 0x01
	willFlag       = 0x04
	willQoSBits    = 0x18
	willRetainFlag = 0x20
	passwordFlag   = 0x40
	usernameFlag   = 0x80
)

func (r *reader) connect() {
	flags := r.byte()
	r.flaw(connectFlaw(flags))
	r.uint16() // keep-alive
	r.text()   // client id
	if flags&willFlag != 0 {
		r.flaw(topicFlaw(r.text()))
		r.data()
	}
	if flags&usernameFlag != 0 {
		r.text()
	}
	if flags&passwordFlag != 0 {
		r.data()
	}
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
func (r *reader) connack() {
	flags, code := r.byte(), r.byte()
	if flags > 1 {
		r.flaw("MQTT 3.2.2.1", "a CONNACK with reserved flags")
	}
	if flags == 1 && code != 0 {
		r.flaw("MQTT-3.2.2-4", "a session in a CONNACK that refuses")
	}
}

// publish does not judge the length of the payload, which is what is left.
func (r *reader) publish(qos byte) {
	r.flaw(topicFlaw(r.text()))
	if qos > 0 {
		r.id()
	}
	r.rest = nil // the payload is whatever it is
}

func (r *reader) subscribe() {
	r.id()
	if len(r.rest) == 0 {
		r.flaw("MQTT-3.8.3-3", "a SUBSCRIBE without a filter")
	}
	for len(r.rest) > 0 && r.err == nil {
		r.flaw(filterFlaw(r.text()))
		if r.byte() > 2 {
			r.flaw("MQTT-3.8.3-4", "a subscription to a QoS other than 0, 1 and 2")
		}
	}
}

func (r *reader) suback() {
	r.id()
	for _, code := range r.rest {
		if code > 2 && code != subscriptionFailed {
			r.flaw("MQTT-3.9.3-2", "a SUBACK with a reserved return code")
		}
	}
	r.rest = nil
}

func (r *reader) unsubscribe() {
	r.id()
	if len(r.rest) == 0 {
		r.flaw("MQTT-3.10.3-2", "an UNSUBSCRIBE without a filter")
	}
	for len(r.rest) > 0 && r.err == nil {
		r.flaw(filterFlaw(r.text()))
	}
}
