package mqtt_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning/mqtt"
)

// tape is a connection that plays bytes and then hangs up. It keeps whatever is
// written to it.
type tape struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func newTape(data []byte) *tape               { return &tape{in: bytes.NewReader(data)} }
func (c *tape) Read(p []byte) (int, error)    { return c.in.Read(p) }
func (c *tape) Write(p []byte) (int, error)   { return c.out.Write(p) }
func (*tape) Close() error                    { return nil }
func (*tape) SetDeadline(time.Time) error     { return nil }
func (*tape) SetReadDeadline(time.Time) error { return nil }

func (*tape) SetWriteDeadline(time.Time) error { return nil }

const fuzzMax = 4096

func seeds(f *testing.F) {
	for _, l := range transcript("\x00\x02") {
		f.Add([]byte(l.bytes))
	}
	for _, s := range []string{
		"\x40\x02\x00\x01\xc0\x00\xe0\x00", "\xa2\x05\x00\x01\x00\x01a", "\x30\xff\xff\xff\x7f", "\xff\xff\xff\xff\xff",
		"\x34\x05\x00\x01a\x00\x01", "\x30\x02\x00\x00", "\x10\x00", "\x82\x06\x00\x01\x00\x01a\x03", "\xd0\x00\xd0\x00",
		"\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01a", "\x38\x03\x00\x01a",
		"\x10\x13\x00\x04MQTT\x04\x2e\x00\x00\x00\x01a\x00\x01w\x00\x01x", "\x10\x12\x00\x04MQTT\x04\x36\x00\x00\x00\x01a\x00\x01w\x00\x00",
	} {
		f.Add([]byte(s))
	}
}

// FuzzRead holds what a server reads against Paho's own reader of the same bytes:
// what ours takes, Paho takes, and it means the same; what ours refuses is a
// violation of a clause, too large, or cut short.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := mqtt.New(context.Background(), newTape(append([]byte(connectBytes), data...)), mqtt.Options{MaxPacket: fuzzMax})
		defer conn.Close()
		if _, err := conn.Accept(time.Time{}); err != nil {
			t.Fatal(err)
		}
		theirs := bytes.NewReader(data)
		for {
			got, err := conn.Read(time.Time{})
			if err != nil {
				wantListedReason(t, err)
				return
			}
			want := nextOf(t, theirs, 0)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v\nPaho has %+v", got, want)
			}
		}
	})
}

// FuzzAccept does the same with the first packet.
func FuzzAccept(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := mqtt.New(context.Background(), newTape(data), mqtt.Options{MaxPacket: fuzzMax})
		defer conn.Close()
		got, err := conn.Accept(time.Time{})
		if err != nil {
			wantListedReason(t, err)
			return
		}
		if got.ProtocolLevel != 4 {
			return // Paho reads on; we must not
		}
		theirs, err := packets.ReadPacket(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("Paho refuses: %v", err)
		}
		p := theirs.(*packets.ConnectPacket)
		if code := p.Validate(); code != 0 && code != packets.ErrRefusedIDRejected {
			t.Fatalf("Paho finds it invalid: %d", code)
		}
		sameHello(t, got, p)
	})
}

// FuzzReceive does it at the client's end.
func FuzzReceive(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := mqtt.New(context.Background(), newTape(append([]byte(connackBytes), data...)), mqtt.Options{MaxPacket: fuzzMax})
		defer conn.Close()
		must(t, conn.Connect(mqtt.Connect{ClientID: "a"}, time.Time{}))
		theirs := bytes.NewReader(data)
		for {
			got, err := conn.Receive(time.Time{})
			if err != nil {
				wantListedReason(t, err)
				return
			}
			want := nextOf(t, theirs, packets.Puback).Message
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v\nPaho has %+v", got, want)
			}
		}
	})
}

// FuzzWrite holds what is written against Paho's reader.
func FuzzWrite(f *testing.F) {
	f.Add("t", []byte("hello"), byte(0), uint16(0), false, false)
	f.Add("$dps/registrations/res/200/?$rid=1", make([]byte, 300), byte(1), uint16(7), true, true)
	for _, length := range []int{127, 128, 1<<14 - 1, 1 << 14, 1 << 21} { // of the remaining length's own
		f.Add("t", make([]byte, length-len("\x00\x01t")), byte(0), uint16(0), false, false)
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte, qos byte, id uint16, retain, dup bool) {
		wire := newTape(nil)
		conn := mqtt.New(context.Background(), wire, mqtt.Options{})
		defer conn.Close()
		m := mqtt.Message{Topic: topic, Payload: payload, QoS: qos, Retain: retain, Dup: dup, ID: id}
		if err := conn.Write(m); err != nil {
			return // refused, and nothing of it written
		}
		if m.QoS == 0 {
			m.ID = 0
		} else if m.ID == 0 {
			m.ID = 1 // the connection's first
		}
		p := theOnly(t, wire).(*packets.PublishPacket)
		got := mqtt.Message{Topic: p.TopicName, Payload: p.Payload, QoS: p.Qos, Retain: p.Retain, Dup: p.Dup, ID: p.MessageID}
		if !bytes.Equal(got.Payload, m.Payload) {
			t.Fatalf("Paho reads %d bytes of payload, %d were written", len(got.Payload), len(m.Payload))
		}
		if got.Payload, m.Payload = nil, nil; !reflect.DeepEqual(got, m) {
			t.Fatalf("Paho reads %+v\nwritten was %+v", got, m)
		}
	})
}

// FuzzConnect does the same with CONNECT.
func FuzzConnect(f *testing.F) {
	f.Add("a", "", []byte(nil), "", []byte(nil), uint16(0), byte(0))
	f.Add("dev-007", user, []byte("token"), "", []byte(nil), uint16(240), byte(1))
	f.Add("dev-007", user, []byte("token"), "w", []byte("gone"), uint16(1), byte(7))
	f.Fuzz(func(t *testing.T, id, user string, password []byte, topic string, will []byte, seconds uint16, flags byte) {
		want := mqtt.Connect{ClientID: id, Username: user, Password: password, CleanSession: flags&1 != 0,
			KeepAlive: time.Duration(seconds) * time.Second}
		if topic != "" {
			want.Will = &mqtt.Message{Topic: topic, Payload: will, QoS: flags >> 1 & 1, Retain: flags&4 != 0}
		}
		wire := newTape(nil)
		conn := mqtt.New(context.Background(), wire, mqtt.Options{})
		defer conn.Close()
		if err := conn.Connect(want, time.Time{}); !errors.Is(err, io.EOF) {
			if wire.out.Len() > 0 {
				t.Fatalf("something was written, and then %v", err)
			}
			return // refused
		}
		sameHello(t, want, theOnly(t, wire).(*packets.ConnectPacket))
	})
}

// theOnly is Paho's reading of what was written, which is one packet.
func theOnly(t *testing.T, wire *tape) packets.ControlPacket {
	t.Helper()
	p, err := packets.ReadPacket(&wire.out)
	if err != nil || wire.out.Len() > 0 {
		t.Fatalf("Paho reads %v, with %v, and %d bytes are left", p, err, wire.out.Len())
	}
	return p
}

func sameHello(t *testing.T, h mqtt.Connect, p *packets.ConnectPacket) {
	t.Helper()
	if h.ClientID != p.ClientIdentifier || h.Username != p.Username || h.CleanSession != p.CleanSession ||
		!bytes.Equal(h.Password, p.Password) || (h.Password != nil) != p.PasswordFlag ||
		h.KeepAlive != time.Duration(p.Keepalive)*time.Second || (h.Will != nil) != p.WillFlag {
		t.Fatalf("ours is %+v\nPaho has %v", h, p)
	}
	if h.Will == nil {
		return
	}
	want := mqtt.Message{Topic: p.WillTopic, Payload: p.WillMessage, QoS: p.WillQos, Retain: p.WillRetain}
	if will := *h.Will; !bytes.Equal(will.Payload, want.Payload) || will.Topic != want.Topic || will.QoS != want.QoS || will.Retain != want.Retain {
		t.Fatalf("our will is %+v\nPaho has %+v", will, want)
	}
}

func wantListedReason(t *testing.T, err error) {
	t.Helper()
	var violation *mqtt.ProtocolError
	if errors.As(err, &violation) && violation.Clause != "" {
		return
	}
	if !errors.Is(err, mqtt.ErrTooLarge) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("refused without a listed reason: %v", err)
	}
}

// nextOf is Paho's reading of the next packet that Read or Receive returns. A
// client passes over the PUBACKs that come late.
func nextOf(t *testing.T, r io.Reader, skip byte) mqtt.Packet {
	t.Helper()
	for {
		p, err := packets.ReadPacket(r)
		if err != nil {
			t.Fatalf("Paho refuses what we took: %v", err)
		}
		switch p := p.(type) {
		case *packets.PublishPacket:
			m := mqtt.Message{Topic: p.TopicName, Payload: p.Payload, QoS: p.Qos, Retain: p.Retain, Dup: p.Dup, ID: p.MessageID}
			return mqtt.Packet{Kind: mqtt.PublishPacket, Message: m, ID: p.MessageID}
		case *packets.PubackPacket:
			if skip != packets.Puback {
				return mqtt.Packet{Kind: mqtt.PubackPacket, ID: p.MessageID}
			}
		case *packets.SubscribePacket:
			return mqtt.Packet{Kind: mqtt.SubscribePacket, ID: p.MessageID, Filters: filters(p.Topics, p.Qoss)}
		case *packets.UnsubscribePacket:
			return mqtt.Packet{Kind: mqtt.UnsubscribePacket, ID: p.MessageID, Filters: filters(p.Topics, make([]byte, len(p.Topics)))}
		case *packets.DisconnectPacket:
			return mqtt.Packet{Kind: mqtt.DisconnectPacket}
		}
	}
}

func filters(topics []string, qos []byte) []mqtt.Filter {
	all := make([]mqtt.Filter, len(topics))
	for i, topic := range topics {
		all[i] = mqtt.Filter{Topic: topic, QoS: qos[i]}
	}
	return all
}
