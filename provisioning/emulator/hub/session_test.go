package hub_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// present connects on the wire, for what a client library does not show.
func (s *site) present(clean bool) bool {
	s.t.Helper()
	nc, err := s.network.Dial(s.t.Context(), "tcp", "127.0.0.1:8883")
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	h := hello(key(), resource, time.Hour)
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.CleanSession = "MQTT", 4, clean
	p.ClientIdentifier, p.UsernameFlag, p.Username, p.PasswordFlag, p.Password = h.ClientID, true, h.Username, true, h.Password
	if err := p.Write(nc); err != nil {
		s.t.Fatal(err)
	}
	answer, err := packets.ReadPacket(nc)
	ack, ok := answer.(*packets.ConnackPacket)
	if err != nil || !ok || ack.ReturnCode != 0 {
		s.t.Fatalf("got %v, %v", answer, err)
	}
	return ack.SessionPresent
}

func TestASessionIsPresentAfterCleanSessionZero(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		steps := []struct{ clean, present bool }{
			{false, false}, {false, true}, {false, true}, {true, false}, {false, false}, {false, true},
		}
		for i, step := range steps {
			if got := s.present(step.clean); got != step.present {
				t.Errorf("connection %d, clean session %v: session present %v", i+1, step.clean, got)
			}
			<-s.ended
		}
	})
}

func TestSubscriptionsAreKeptForCleanSessionZero(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		first := s.online(provisioning.DesiredFilter, provisioning.TwinAnswerFilter)
		first.Disconnect()
		<-s.ended
		second := s.greet(func(*mqtt.Connect) {})
		defer second.Close()
		if _, err := s.hub.PatchDesired(deviceID, []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		if _, body := receive(second); body != `{"a":1,"$version":2}` {
			t.Errorf("the second connection got %q", body)
		}
		second.Publish(mqtt.Message{Topic: provisioning.TwinGetTopic("1")}, soon())
		if _, body := receive(second); !strings.HasPrefix(body, `{"desired"`) {
			t.Errorf("the second connection got %q", body)
		}
	})
}

func TestASubscriptionThatWasGivenUpIsNotKept(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		first := s.greet(func(h *mqtt.Connect) { h.CleanSession = true })
		first.Subscribe(soon(), 1, provisioning.DesiredFilter)
		first.Disconnect()
		<-s.ended
		second := s.greet(func(*mqtt.Connect) {})
		defer second.Close()
		s.hub.PatchDesired(deviceID, []byte(`{"a":1}`))
		if _, body := receive(second); body != "nothing" {
			t.Errorf("the second connection got %q", body)
		}
	})
}

// TestAKeepAliveIsCappedAt1767Seconds holds the instant at which a silent device
// is hung up on: 1.5 times that.
func TestAKeepAliveIsCappedAt1767Seconds(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		nc, err := s.network.Dial(t.Context(), "tcp", "127.0.0.1:8883")
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		h := hello(key(), resource, 24*time.Hour)
		p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
		p.ProtocolName, p.ProtocolVersion, p.CleanSession, p.Keepalive = "MQTT", 4, true, 65535
		p.ClientIdentifier, p.UsernameFlag, p.Username, p.PasswordFlag, p.Password = h.ClientID, true, h.Username, true, h.Password
		start := time.Now()
		p.Write(nc)
		io.Copy(io.Discard, nc)
		if lasted := time.Since(start); lasted != 1767*time.Second*3/2 {
			t.Errorf("it lasted %s, want %s", lasted, 1767*time.Second*3/2)
		}
		<-s.ended
	})
}

func TestAWillIsTelemetry(t *testing.T) {
	const topic = "devices/toaster-1/messages/events/room=kitchen"
	tests := []struct {
		name string
		will mqtt.Message
		end  func(*mqtt.Conn)
		want string // properties; empty for no telemetry
	}{
		{"after a lost connection", mqtt.Message{Topic: topic, Payload: []byte("gone")}, func(c *mqtt.Conn) { c.Close() }, "room=kitchen&iothub-MessageType=Will"},
		{"a retained one", mqtt.Message{Topic: topic, Payload: []byte("gone"), Retain: true}, func(c *mqtt.Conn) { c.Close() }, "room=kitchen&iothub-MessageType=Will&mqtt-retain=true"},
		{"not after a DISCONNECT", mqtt.Message{Topic: topic, Payload: []byte("gone")}, func(c *mqtt.Conn) { c.Disconnect() }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				conn := s.greet(func(h *mqtt.Connect) { h.Will = &test.will })
				test.end(conn)
				<-s.ended
				seen := s.observed(provisioning.ExchangeTelemetry)
				var got string
				if len(seen) == 1 && string(seen[0].Asked) == "gone" {
					got = seen[0].Properties
				}
				if got != test.want || int64(len(seen)) != s.hub.Totals().Telemetry {
					t.Errorf("observed %+v, want %q", seen, test.want)
				}
			})
		})
	}
}

func TestAWillMustBeTelemetry(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		nc, err := s.network.Dial(t.Context(), "tcp", "127.0.0.1:8883")
		if err != nil {
			t.Fatal(err)
		}
		conn, h := mqtt.New(t.Context(), nc, mqtt.Options{}), hello(key(), resource, time.Hour)
		defer conn.Close()
		h.Will = &mqtt.Message{Topic: "devices/toaster-2/messages/events/"}
		if err := conn.Connect(h, soon()); !errors.Is(err, io.EOF) {
			t.Errorf("connecting ended in %v, want the connection closed", err)
		}
		if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "will") {
			t.Errorf("it ended for %v", err)
		}
	})
}

func TestRetainBecomesAProperty(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online()
		defer conn.Close()
		m := mqtt.Message{Topic: provisioning.TelemetryTopic(deviceID, "application/json"), Payload: []byte(`{}`), QoS: 1, Retain: true}
		if err := conn.Publish(m, soon()); err != nil {
			t.Fatal(err)
		}
		// The PUBACK has come, so the telemetry is there.
		seen := s.observed(provisioning.ExchangeTelemetry)
		if want := "%24.ct=application%2Fjson&%24.ce=utf-8&mqtt-retain=true"; len(seen) != 1 || seen[0].Properties != want || seen[0].Hub != name {
			t.Errorf("observed %+v, want %s", seen, want)
		}
	})
}
