package mqtt

import (
	"encoding/binary"
	"time"
)

// What is put together here was checked before (check.go): no field is longer than
// its two bytes of length can say.

// appendHeader begins a packet with its fixed header (MQTT 3.1.1 section 2.2).
func appendHeader(b []byte, kind PacketKind, flags byte, remaining int) []byte {
	b = append(b, byte(kind)<<4|flags)
	for ; remaining > 0x7f; remaining >>= 7 {
		b = append(b, byte(remaining)|0x80)
	}
	return append(b, byte(remaining))
}

// lengthBytes precede a field, and are as many as an identifier has.
const lengthBytes = 2

func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
	return append(b, field...)
}

// appendAck appends a packet that is an identifier and return codes.
func appendAck(b []byte, kind PacketKind, id uint16, codes ...byte) []byte {
	b = appendHeader(b, kind, 0, lengthBytes+len(codes))
	return append(binary.BigEndian.AppendUint16(b, id), codes...)
}

func appendConnack(b []byte, session bool, code byte) []byte {
	var flags byte
	if session {
		flags = sessionFlag
	}
	return append(appendHeader(b, connackPacket, 0, 2), flags, code)
}

func appendConnect(b []byte, h *Connect) []byte {
	const levelFlagsKeepAlive = 4
	flags, length := byte(0), lengthBytes+len(protocolName)+levelFlagsKeepAlive+lengthBytes+len(h.ClientID)
	if h.CleanSession {
		flags |= cleanSessionFlag
	}
	if h.Will != nil {
		flags |= willFlag | h.Will.QoS<<willQoSShift
		length += lengthBytes + len(h.Will.Topic) + lengthBytes + len(h.Will.Payload)
	}
	if h.Will != nil && h.Will.Retain {
		flags |= willRetainFlag
	}
	if h.Username != "" || h.Password != nil { // [MQTT-3.1.2-22]
		flags |= usernameFlag
		length += lengthBytes + len(h.Username)
	}
	if h.Password != nil {
		flags |= passwordFlag
		length += lengthBytes + len(h.Password)
	}
	b = appendField(appendHeader(b, connectPacket, 0, length), protocolName)
	b = append(b, protocolLevel, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(h.KeepAlive/time.Second))
	b = appendField(b, h.ClientID)
	if flags&willFlag != 0 {
		b = appendField(appendField(b, h.Will.Topic), h.Will.Payload)
	}
	if flags&usernameFlag != 0 {
		b = appendField(b, h.Username)
	}
	if flags&passwordFlag != 0 {
		b = appendField(b, h.Password)
	}
	return b
}

func appendPublish(b []byte, m Message) []byte {
	flags, length := m.QoS<<1, lengthBytes+len(m.Topic)+len(m.Payload)
	if m.Retain {
		flags |= retainFlag
	}
	if m.Dup {
		flags |= dupFlag
	}
	if m.QoS > 0 {
		length += lengthBytes
	}
	b = appendField(appendHeader(b, PublishPacket, flags, length), m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, m.ID)
	}
	return append(b, m.Payload...)
}

func appendSubscribe(b []byte, id uint16, qos byte, filters []string) []byte {
	length := lengthBytes
	for _, filter := range filters {
		length += lengthBytes + len(filter) + 1
	}
	b = appendHeader(b, SubscribePacket, subscribeFlags, length)
	b = binary.BigEndian.AppendUint16(b, id)
	for _, filter := range filters {
		b = append(appendField(b, filter), qos)
	}
	return b
}
