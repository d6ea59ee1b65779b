package mqtt_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning/mqtt"
)

// TestPacketsAreThoseOfPahosCodec is for the packets that no fuzz test writes.
func TestPacketsAreThoseOfPahosCodec(t *testing.T) {
	for _, test := range []struct {
		name  string
		write func(*mqtt.Conn) error
		paho  packets.ControlPacket
	}{
		{"CONNACK", func(c *mqtt.Conn) error { return c.Connack(0) }, &packets.ConnackPacket{}},
		{"CONNACK that refuses", func(c *mqtt.Conn) error { return c.Connack(5) }, &packets.ConnackPacket{ReturnCode: 5}},
		{"CONNACK with a session", (*mqtt.Conn).Resume, &packets.ConnackPacket{SessionPresent: true}},
		{"SUBACK", func(c *mqtt.Conn) error { return c.Suback(7, []byte{0, 1, 0x80}) },
			&packets.SubackPacket{MessageID: 7, ReturnCodes: []byte{0, 1, 0x80}}},
		{"UNSUBACK", func(c *mqtt.Conn) error { return c.Unsuback(0x1234) }, &packets.UnsubackPacket{MessageID: 0x1234}},
		{"PUBACK", func(c *mqtt.Conn) error { c.Puback(0xfffe); return c.Acknowledge() }, &packets.PubackPacket{MessageID: 0xfffe}},
		{"DISCONNECT", (*mqtt.Conn).Disconnect, &packets.DisconnectPacket{}},
		{"SUBSCRIBE", func(c *mqtt.Conn) error { c.Subscribe(time.Time{}, 1, "a/#", "+/b"); return nil },
			&packets.SubscribePacket{MessageID: 1, Topics: []string{"a/#", "+/b"}, Qoss: []byte{1, 1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			wire := newTape(nil)
			conn := mqtt.New(context.Background(), wire, mqtt.Options{})
			defer conn.Close()
			must(t, test.write(conn))
			var want bytes.Buffer
			must(t, withHeader(test.paho).Write(&want))
			if !bytes.Equal(wire.out.Bytes(), want.Bytes()) {
				t.Errorf("got % x\nPaho has % x", wire.out.Bytes(), want.Bytes())
			}
		})
	}
}

// withHeader gives a packet of Paho's the kind that its codec writes.
func withHeader(p packets.ControlPacket) packets.ControlPacket {
	switch p := p.(type) {
	case *packets.ConnackPacket:
		p.MessageType = packets.Connack
	case *packets.SubackPacket:
		p.MessageType = packets.Suback
	case *packets.UnsubackPacket:
		p.MessageType = packets.Unsuback
	case *packets.PubackPacket:
		p.MessageType = packets.Puback
	case *packets.DisconnectPacket:
		p.MessageType = packets.Disconnect
	case *packets.SubscribePacket:
		p.MessageType, p.Qos = packets.Subscribe, 1
	}
	return p
}
