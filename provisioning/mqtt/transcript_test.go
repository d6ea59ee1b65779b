package mqtt_test

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/mqtt"
)

const (
	user          = "0ne00002193/registrations/dev-007/api-version=2019-03-31"
	filter        = "$dps/registrations/res/#"
	registerTopic = "$dps/registrations/PUT/iotdps-register/?$rid=1"
	registerBody  = `{"registrationId":"dev-007"}`
	answerTopic   = "$dps/registrations/res/202/?$rid=1&retry-after=3"
	answerBody    = `{"operationId":"4.d0","status":"assigning"}`
)

// transcript is a registration as Azure's C SDK does it, after a trace that its
// users published: CONNECT with flags 0xC2 and no keep-alive, a subscription at
// QoS 1, requests at QoS 0, answers at QoS 1. The lengths were counted by hand.
func transcript(answerID string) []line {
	return []line{
		{"client", "\x10\x54\x00\x04MQTT\x04\xc2\x00\x00\x00\x07dev-007\x00\x38" + user + "\x00\x05token"},
		{"server", "\x20\x02\x00\x00"},
		{"client", "\x82\x1d\x00\x01\x00\x18" + filter + "\x01"},
		{"server", "\x90\x03\x00\x01\x01"},
		{"client", "\x30\x4c\x00\x2e" + registerTopic + registerBody},
		{"server", "\x32\x5f\x00\x30" + answerTopic + answerID + answerBody},
		{"client", "\x40\x02" + answerID},
		{"client", "\xe0\x00"},
	}
}

func transcriptHello() mqtt.Connect {
	return mqtt.Connect{ClientID: "dev-007", Username: user, Password: []byte("token"), CleanSession: true}
}

func TestClientSpeaksTheTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pipe(t)
		done := make(chan bool)
		go func() { defer close(done); play(t, s, "server", transcript("\x00\x02")) }()

		conn := mqtt.New(t.Context(), c, mqtt.Options{})
		must(t, conn.Connect(transcriptHello(), in(time.Second)))
		granted, err := conn.Subscribe(in(time.Second), 1, filter)
		must(t, err)
		if string(granted) != "\x01" {
			t.Errorf("granted %v", granted)
		}
		must(t, conn.Publish(mqtt.Message{Topic: registerTopic, Payload: []byte(registerBody)}, in(time.Second)))
		answer, err := conn.Receive(in(time.Second))
		must(t, err)
		want := mqtt.Message{Topic: answerTopic, Payload: []byte(answerBody), QoS: 1, ID: 2}
		if !reflect.DeepEqual(answer, want) {
			t.Errorf("got %+v, want %+v", answer, want)
		}
		must(t, conn.Disconnect())
		<-done
	})
}

func TestServerSpeaksTheTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pipe(t)
		done := make(chan bool)
		go func() { defer close(done); play(t, c, "client", transcript("\x00\x01")) }()

		conn := mqtt.New(context.Background(), s, mqtt.Options{})
		defer conn.Close()
		hello, err := conn.Accept(in(time.Second))
		must(t, err)
		want := transcriptHello()
		want.ProtocolLevel = 4
		if !reflect.DeepEqual(hello, want) {
			t.Errorf("got %+v, want %+v", hello, want)
		}
		must(t, conn.Connack(0))
		expect(t, conn, mqtt.Packet{Kind: mqtt.SubscribePacket, ID: 1, Filters: []mqtt.Filter{{filter, 1}}})
		must(t, conn.Suback(1, []byte{1}))
		expect(t, conn, mqtt.Packet{Kind: mqtt.PublishPacket,
			Message: mqtt.Message{Topic: registerTopic, Payload: []byte(registerBody)}})
		must(t, conn.Write(mqtt.Message{Topic: answerTopic, Payload: []byte(answerBody), QoS: 1}))
		expect(t, conn, mqtt.Packet{Kind: mqtt.PubackPacket, ID: 1})
		expect(t, conn, mqtt.Packet{Kind: mqtt.DisconnectPacket})
		<-done
	})
}

func expect(t *testing.T, conn *mqtt.Conn, want mqtt.Packet) {
	t.Helper()
	got, err := conn.Read(in(time.Second))
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
