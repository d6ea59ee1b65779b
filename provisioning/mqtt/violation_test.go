package mqtt_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/mqtt"
)

func TestServerRefusesAsFirstPacket(t *testing.T) {
	tests := []struct{ name, bytes, clause string }{
		{"Pingreq", "\xc0\x00", "MQTT-3.1.0-1"},
		{"ReservedKind0", "\x00\x00", "MQTT 2.2.1"},
		{"ReservedKind15", "\xf0\x00", "MQTT 2.2.1"},
		{"TLSClientHello", "\x16\x03\x01\x02", "MQTT-2.2.2-2"},
		{"LengthOfFiveBytes", "\x10\xff\xff\xff\xff\x01", "MQTT 2.2.3"},
		{"OtherProtocol", "\x10\x0d\x00\x04HTTP\x04\x02\x00\x00\x00\x01a", "MQTT-3.1.2-1"},
		{"OldNameNewLevel", "\x10\x0f\x00\x06MQIsdp\x04\x02\x00\x00\x00\x01a", "MQTT-3.1.2-1"},
		{"ReservedConnectFlag", "\x10\x0d\x00\x04MQTT\x04\x03\x00\x00\x00\x01a", "MQTT-3.1.2-3"},
		{"WillQoSWithoutWill", "\x10\x0d\x00\x04MQTT\x04\x0a\x00\x00\x00\x01a", "MQTT-3.1.2-13"},
		{"WillRetainWithoutWill", "\x10\x0d\x00\x04MQTT\x04\x22\x00\x00\x00\x01a", "MQTT-3.1.2-15"},
		{"WillOfQoS3", "\x10\x11\x00\x04MQTT\x04\x1e\x00\x00\x00\x01a\x00\x00\x00\x00", "MQTT-3.1.2-14"},
		{"PasswordWithoutUser", "\x10\x0f\x00\x04MQTT\x04\x42\x00\x00\x00\x01a\x00\x00", "MQTT-3.1.2-22"},
		{"WillTopicWildcard", "\x10\x12\x00\x04MQTT\x04\x06\x00\x00\x00\x01a\x00\x01#\x00\x00", "MQTT-3.3.2-2"},
		{"ClientIDNotUTF8", "\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01\xff", "MQTT-1.5.3-1"},
		{"ClientIDWithNUL", "\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01\x00", "MQTT-1.5.3-2"},
		{"CutShort", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x01", "MQTT-4.8.0-1"},
		{"TrailingBytes", "\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x01ab", "MQTT-4.8.0-1"},
		{"Empty", "\x10\x00", "MQTT-4.8.0-1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn := serverThatReads(t, test.bytes)
			_, err := conn.Accept(in(time.Minute))
			wantClause(t, err, test.clause)
		})
	}
}

func TestServerRefuses(t *testing.T) {
	tests := []struct{ name, bytes, clause string }{
		{"SecondConnect", connectBytes, "MQTT-3.1.0-2"},
		{"Connack", connackBytes, "MQTT-4.8.0-1"},
		{"PublishOfQoS2", "\x34\x05\x00\x01a\x00\x01", "MQTT 4.3.3"},
		{"PublishOfQoS3", "\x36\x05\x00\x01a\x00\x01", "MQTT-3.3.1-4"},
		{"DuplicateOfQoS0", "\x38\x03\x00\x01a", "MQTT-3.3.1-2"},
		{"PublishWithID0", "\x32\x05\x00\x01a\x00\x00", "MQTT-2.3.1-1"},
		{"TopicEmpty", "\x30\x02\x00\x00", "MQTT-4.7.3-1"},
		{"TopicWithHash", "\x30\x05\x00\x03a/#", "MQTT-3.3.2-2"},
		{"TopicWithPlus", "\x30\x05\x00\x03+/a", "MQTT-3.3.2-2"},
		{"TopicNotUTF8", "\x30\x03\x00\x01\xc0", "MQTT-1.5.3-1"},
		{"TopicWithSurrogate", "\x30\x05\x00\x03\xed\xa0\x80", "MQTT-1.5.3-1"},
		{"TopicWithNUL", "\x30\x03\x00\x01\x00", "MQTT-1.5.3-2"},
		{"TopicLongerThanPacket", "\x30\x03\x00\xffa", "MQTT-4.8.0-1"},
		{"PubackWithID0", "\x40\x02\x00\x00", "MQTT-2.3.1-1"},
		{"PubackTooLong", "\x40\x03\x00\x01\x00", "MQTT-4.8.0-1"},
		{"PubackFlags", "\x41\x02\x00\x01", "MQTT-2.2.2-2"},
		{"Pubrel", "\x62\x02\x00\x01", "MQTT 4.3.3"},
		{"SubscribeFlags", "\x80\x06\x00\x01\x00\x01a\x00", "MQTT-2.2.2-2"},
		{"SubscribeWithID0", "\x82\x06\x00\x00\x00\x01a\x00", "MQTT-2.3.1-1"},
		{"SubscribeToNothing", "\x82\x02\x00\x01", "MQTT-3.8.3-3"},
		{"SubscribeAtQoS3", "\x82\x06\x00\x01\x00\x01a\x03", "MQTT-3.8.3-4"},
		{"SubscribeReservedBits", "\x82\x06\x00\x01\x00\x01a\x80", "MQTT-3.8.3-4"},
		{"FilterEmpty", "\x82\x05\x00\x01\x00\x00\x00", "MQTT-4.7.3-1"},
		{"HashBeforeTheEnd", "\x82\x08\x00\x01\x00\x03#/a\x00", "MQTT-4.7.1-2"},
		{"HashInALevel", "\x82\x07\x00\x01\x00\x02a#\x00", "MQTT-4.7.1-2"},
		{"PlusInALevel", "\x82\x07\x00\x01\x00\x02a+\x00", "MQTT-4.7.1-3"},
		{"UnsubscribeFromNothing", "\xa2\x02\x00\x01", "MQTT-3.10.3-2"},
		{"UnsubscribeFlags", "\xa0\x05\x00\x01\x00\x01a", "MQTT-2.2.2-2"},
		{"PingreqWithBody", "\xc0\x01\x00", "MQTT-4.8.0-1"},
		{"DisconnectFlags", "\xe1\x00", "MQTT-2.2.2-2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn := serverThatReads(t, connectBytes+test.bytes)
			_, err := conn.Accept(in(time.Minute))
			must(t, err)
			_, err = conn.Read(in(time.Minute))
			wantClause(t, err, test.clause)
			_, again := conn.Read(in(time.Minute))
			wantClause(t, again, test.clause)
		})
	}
}

func TestClientRefuses(t *testing.T) {
	tests := []struct{ name, bytes, clause string }{
		{"FirstPacketNotConnack", "\xd0\x00", "MQTT-3.2.0-1"},
		{"ReservedConnackFlags", "\x20\x02\x02\x00", "MQTT 3.2.2.1"},
		{"SessionInARefusal", "\x20\x02\x01\x05", "MQTT-3.2.2-4"},
		{"SessionThatWasToBeClean", "\x20\x02\x01\x00", "MQTT-3.2.2-1"},
		{"ConnackTooLong", "\x20\x03\x00\x00\x00", "MQTT-4.8.0-1"},
		{"SecondConnack", connackBytes + connackBytes, "MQTT-4.8.0-1"},
		{"Pingreq", connackBytes + "\xc0\x00", "MQTT-4.8.0-1"},
		{"SubackCode3", connackBytes + "\x90\x03\x00\x01\x03", "MQTT-3.9.3-2"},
		{"PublishOfQoS2", connackBytes + "\x34\x05\x00\x01a\x00\x01", "MQTT 4.3.3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, s := pipe(t)
			io.WriteString(s, test.bytes)
			conn := mqtt.New(t.Context(), c, mqtt.Options{})
			err := conn.Connect(mqtt.Connect{ClientID: "a", CleanSession: true}, in(time.Minute))
			if err == nil {
				_, err = conn.Receive(in(time.Minute))
			}
			wantClause(t, err, test.clause)
		})
	}
}

func TestServerTakesWhatIsUnusualAndLegal(t *testing.T) {
	tests := []struct {
		name, bytes string
		want        mqtt.Connect
	}{
		{"EmptyPassword", "\x10\x11\x00\x04MQTT\x04\xc2\x00\x00\x00\x01a\x00\x00\x00\x00",
			mqtt.Connect{ClientID: "a", Password: []byte{}, CleanSession: true, ProtocolLevel: 4}},
		{"NoClientID", "\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00", mqtt.Connect{ProtocolLevel: 4}},
		{"KeepAlive", "\x10\x0d\x00\x04MQTT\x04\x00\x00\xb4\x00\x01a",
			mqtt.Connect{ClientID: "a", KeepAlive: 3 * time.Minute, ProtocolLevel: 4}},
		{"Will", "\x10\x13\x00\x04MQTT\x04\x2e\x00\x00\x00\x01a\x00\x01t\x00\x01w",
			mqtt.Connect{ClientID: "a", CleanSession: true, ProtocolLevel: 4,
				Will: &mqtt.Message{Topic: "t", Payload: []byte("w"), QoS: 1, Retain: true}}},
		{"MQTT5", "\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01a", mqtt.Connect{ProtocolLevel: 5}},
		{"MQTT31", "\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01a", mqtt.Connect{ProtocolLevel: 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := serverThatReads(t, test.bytes).Accept(in(time.Minute))
			must(t, err)
			if !equal(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestTooLargePacketIsRefusedUnread(t *testing.T) {
	c, s := pipe(t)
	conn := mqtt.New(context.Background(), s, mqtt.Options{MaxPacket: 1000})
	io.WriteString(c, connectBytes)
	_, err := conn.Accept(in(time.Minute))
	must(t, err)
	conn.LimitPackets(2000)
	io.WriteString(c, "\x30\xd0\x0f\x00\x01a"+strings.Repeat(" ", 1997))
	_, err = conn.Read(in(time.Minute))
	must(t, err)
	io.WriteString(c, "\x30\xff\xff\xff\x7f") // announces 256 MiB
	before := allocated()
	_, err = conn.Read(in(time.Minute))
	if !errors.Is(err, mqtt.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if got := allocated() - before; got > 1<<20 {
		t.Errorf("allocated %d bytes", got)
	}
}

func TestSlowPeerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pipe(t)
		conn := mqtt.New(context.Background(), s, mqtt.Options{PacketTimeout: 5 * time.Second})
		defer conn.Close()
		start := time.Now()
		io.WriteString(c, connectBytes[:7])
		_, err := conn.Accept(time.Time{})
		if err == nil || !strings.Contains(err.Error(), "stalled") {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestPacketMayComeInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pipe(t)
		conn := mqtt.New(context.Background(), s, mqtt.Options{})
		defer conn.Close()
		payload := strings.Repeat("x", 20_000)
		bytes := connectBytes + "\x30\xa3\x9c\x01\x00\x01a" + payload + "\xe0\x00"
		done := make(chan bool)
		go func() {
			defer close(done)
			for len(bytes) > 0 {
				n := min(len(bytes), 700)
				if len(bytes) > 20_000 {
					n = 1
				}
				io.WriteString(c, bytes[:n])
				bytes = bytes[n:]
				time.Sleep(time.Millisecond)
			}
		}()
		_, err := conn.Accept(time.Time{})
		must(t, err)
		expect(t, conn, mqtt.Packet{Kind: mqtt.PublishPacket, Message: mqtt.Message{Topic: "a", Payload: []byte(payload)}})
		expect(t, conn, mqtt.Packet{Kind: mqtt.DisconnectPacket})
		<-done
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func serverThatReads(t *testing.T, bytes string) *mqtt.Conn {
	t.Helper()
	c, s := pipe(t)
	io.WriteString(c, bytes)
	return mqtt.New(t.Context(), s, mqtt.Options{})
}

func wantClause(t *testing.T, err error, clause string) {
	t.Helper()
	var violation *mqtt.ProtocolError
	if !errors.As(err, &violation) || violation.Clause != clause {
		t.Errorf("got %v, want a violation of %s", err, clause)
	}
}
