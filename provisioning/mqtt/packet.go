package mqtt

import (
	"fmt"
	"strconv"
)

// PacketKind is the type of a control packet, by its number in MQTT 3.1.1 section
// 2.2.1.
type PacketKind byte

// The kinds that Read returns, between those that stay in this room.
const (
	connectPacket     PacketKind = 1
	connackPacket     PacketKind = 2
	PublishPacket     PacketKind = 3
	PubackPacket      PacketKind = 4
	pubrecPacket      PacketKind = 5
	pubrelPacket      PacketKind = 6
	pubcompPacket     PacketKind = 7
	SubscribePacket   PacketKind = 8
	subackPacket      PacketKind = 9
	UnsubscribePacket PacketKind = 10
	unsubackPacket    PacketKind = 11
	pingreqPacket     PacketKind = 12
	pingrespPacket    PacketKind = 13
	DisconnectPacket  PacketKind = 14
)

// String is the packet's name in MQTT.
func (k PacketKind) String() string {
	names := []string{"", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
		"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT"}
	if k == 0 || int(k) >= len(names) {
		return "packet " + strconv.Itoa(int(k))
	}
	return names[k]
}

// Packet is what a client sent.
type Packet struct {
	Kind    PacketKind
	Message Message  // of PublishPacket
	ID      uint16   // of all but DisconnectPacket; 0 in a PublishPacket of QoS 0
	Filters []Filter // of SubscribePacket and, without QoS, UnsubscribePacket
}

// packet is what either end sent.
type packet struct {
	Packet
	hello   *Connect // of connectPacket
	session bool     // of connackPacket
	codes   []byte   // return codes: one of connackPacket, one a filter of subackPacket
}

// Filter is a topic filter with the QoS that is asked for.
type Filter struct {
	Topic string
	QoS   byte // 0 to 2
}

// RefusedError is a CONNACK with a return code other than 0.
type RefusedError struct {
	// Code is the return code: 1 to 5 are MQTT's (table 3.1), the others reserved.
	Code byte
}

// Error says the code and its name in MQTT 3.1.1 table 3.1.
func (e *RefusedError) Error() string {
	names := []string{
		1: "unacceptable protocol version", 2: "identifier rejected", 3: "server unavailable",
		4: "bad user name or password", 5: "not authorized",
	}
	text := "the server refused the connection with CONNACK " + strconv.Itoa(int(e.Code))
	if int(e.Code) < len(names) && names[e.Code] != "" {
		text += ", " + names[e.Code]
	}
	return text
}

// ProtocolError is a violation of MQTT 3.1.1 by the peer.
type ProtocolError struct {
	// Clause is the number of the normative statement, such as "MQTT-3.1.0-2",
	// or of the section where no statement has a number.
	Clause string
	// What the peer did. It quotes nothing of what the peer sent.
	What string
}

// Error says what the peer did and against which clause.
func (e *ProtocolError) Error() string { return fmt.Sprintf("%s [%s]", e.What, e.Clause) }

func violation(clause, what string) error { return &ProtocolError{Clause: clause, What: what} }
