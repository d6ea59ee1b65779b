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

// tape is a connection that plays bytes and then hangs up. It takes whatever is
// written to it.
type tape struct {
	net.Conn
	in *bytes.Reader
}

func newTape(data []byte) *tape               { return &tape{in: bytes.NewReader(data)} }
func (c *tape) Read(p []byte) (int, error)    { return c.in.Read(p) }
func (*tape) Write(p []byte) (int, error)     { return len(p), nil }
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
		if got.ClientID != p.ClientIdentifier || got.Username != p.Username || got.CleanSession != p.CleanSession ||
			!bytes.Equal(got.Password, p.Password) || (got.Password != nil) != p.PasswordFlag ||
			got.KeepAlive != time.Duration(p.Keepalive)*time.Second || (got.Will != nil) != p.WillFlag {
			t.Fatalf("got %+v\nPaho has %v", got, p)
		}
		if p.WillFlag {
			want := mqtt.Message{Topic: p.WillTopic, Payload: p.WillMessage, QoS: p.WillQos, Retain: p.WillRetain}
			if !reflect.DeepEqual(*got.Will, want) {
				t.Fatalf("the will is %+v\nPaho has %+v", *got.Will, want)
			}
		}
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
