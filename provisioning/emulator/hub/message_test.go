package hub_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/mqtt"
)

func (s *site) send(body string, properties ...provisioning.Property) {
	s.t.Helper()
	if err := s.hub.SendMessage(deviceID, hub.Message{Body: []byte(body), Properties: properties}); err != nil {
		s.t.Fatal(err)
	}
}

// receive is what came, as "topic body", or "nothing".
func receive(conn *mqtt.Conn) (mqtt.Message, string) {
	m, err := conn.Receive(time.Now().Add(time.Second))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return m, "nothing"
	}
	if err == nil {
		err = conn.Acknowledge()
	}
	if err != nil {
		return m, err.Error()
	}
	return m, string(m.Payload)
}

func TestAMessageComesAtTheGrantedQoS(t *testing.T) {
	for _, qos := range []byte{0, 1, 2} {
		t.Run(fmt.Sprint(qos), func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				conn := s.online()
				defer conn.Close()
				s.send("before", provisioning.Property{Name: "$.mid", Value: "a b"}, provisioning.Property{Name: "alert", Value: "ja & nö"}, provisioning.Property{Name: "empty"}, provisioning.Property{Name: "null", Null: true})
				if _, err := conn.Subscribe(soon(), qos, provisioning.DeviceboundFilter(deviceID)); err != nil {
					t.Fatal(err)
				}
				s.send("after")
				m, body := receive(conn)
				want := "devices/toaster-1/messages/devicebound/%24.to=%2Fdevices%2Ftoaster-1%2Fmessages%2FdeviceBound&%24.mid=a%20b&alert=ja%20%26%20n%C3%B6&empty=&null"
				if body != "before" || m.Topic != want || m.QoS != min(qos, 1) || m.Dup {
					t.Errorf("got %q at QoS %d on %s", body, m.QoS, m.Topic)
				}
				if _, body := receive(conn); body != "after" {
					t.Errorf("the second is %q", body)
				}
				synctest.Wait()
				if left := s.hub.Pending(deviceID); left != 0 {
					t.Errorf("%d messages are left", left)
				}
			})
		})
	}
}

func TestAQueueHoldsFiftyMessages(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		for i := range 50 {
			s.send(fmt.Sprint(i))
		}
		err := s.hub.SendMessage(deviceID, hub.Message{})
		if refused := new(hub.Error); !errors.As(err, &refused) || refused.Code != 403004 {
			t.Errorf("the 51st ended in %v, want 403004", err)
		}
		conn := s.online(provisioning.DeviceboundFilter(deviceID))
		defer conn.Close()
		for i := range 50 {
			if _, body := receive(conn); body != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, body)
			}
		}
		s.send("room again")
	})
}

func TestAMessageLivesAsLongAsItMay(t *testing.T) {
	tests := []struct {
		name  string
		life  time.Duration
		after time.Duration
		want  string
	}{
		{"in its last moment", time.Minute, time.Minute - 1, "hello"},
		{"a moment later", time.Minute, time.Minute, "nothing"},
		{"an hour by default", 0, time.Hour - 1, "hello"},
		{"and no longer", 0, time.Hour, "nothing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				if err := s.hub.SendMessage(deviceID, hub.Message{Body: []byte("hello"), TimeToLive: test.life}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.after)
				conn := s.online(provisioning.DeviceboundFilter(deviceID))
				defer conn.Close()
				if _, body := receive(conn); body != test.want {
					t.Errorf("got %q, want %q", body, test.want)
				}
			})
		})
	}
}

func TestMessagesThatAHubDoesNotTake(t *testing.T) {
	tests := []struct {
		name, device string
		message      hub.Message
		code         provisioning.Code
	}{
		{"to nobody", "toaster-2", hub.Message{}, 404001},
		{"over 64 KB", deviceID, hub.Message{Body: make([]byte, 64<<10)}, 413001},
		{"with properties over 64 KB", deviceID, hub.Message{Properties: []provisioning.Property{{Name: strings.Repeat("x", 64<<10)}}}, 413001},
		{"for longer than two days", deviceID, hub.Message{TimeToLive: 48*time.Hour + 1}, 400004},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				err := s.hub.SendMessage(test.device, test.message)
				if refused := new(hub.Error); !errors.As(err, &refused) || refused.Code != test.code {
					t.Errorf("it ended in %v, want %d", err, test.code)
				}
			})
		})
	}
}

// TestUnacknowledgedMessagesComeAgain: with clean session 0 under their old
// identifiers and as duplicates, with clean session 1 as new ones.
func TestUnacknowledgedMessagesComeAgain(t *testing.T) {
	for _, clean := range []bool{false, true} {
		t.Run(fmt.Sprintf("clean session %v", clean), func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				first := s.online(provisioning.DeviceboundFilter(deviceID))
				s.send("one")
				s.send("two")
				synctest.Wait() // both are on their way, and nobody reads them
				first.Close()
				<-s.ended

				second := s.greet(func(h *mqtt.Connect) { h.CleanSession = clean })
				defer second.Close()
				if clean {
					second.Subscribe(soon(), 1, provisioning.DeviceboundFilter(deviceID))
				}
				for i, want := range []string{"one", "two"} {
					m, body := receive(second)
					if body != want || m.Dup == clean || !clean && m.ID != uint16(i+1) {
						t.Errorf("got %q, duplicate %v, identifier %d", body, m.Dup, m.ID)
					}
				}
				synctest.Wait()
				if left := s.hub.Pending(deviceID); left != 0 {
					t.Errorf("%d messages are left", left)
				}
			})
		})
	}
}

func TestAMessageIsGivenUpAfterTenDeliveries(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		s.send("poison")
		conn := s.online(provisioning.DeviceboundFilter(deviceID))
		for range 9 {
			synctest.Wait()
			conn.Close()
			<-s.ended
			conn = s.greet(func(*mqtt.Connect) {})
		}
		synctest.Wait()
		conn.Close()
		<-s.ended
		if n := len(s.observed(provisioning.ExchangeMessage)); n != 10 {
			t.Errorf("it went out %d times, want 10", n)
		}
		conn = s.online(provisioning.DeviceboundFilter(deviceID))
		defer conn.Close()
		if _, body := receive(conn); body != "nothing" {
			t.Errorf("got %q once more", body)
		}
	})
}

// TestASlowDeviceHasSixteenOnTheirWay, whatever waits behind them.
func TestASlowDeviceHasSixteenOnTheirWay(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.DeviceboundFilter(deviceID))
		defer conn.Close()
		for range 20 {
			s.send("x")
		}
		synctest.Wait()
		if n := len(s.observed(provisioning.ExchangeMessage)); n != 16 {
			t.Errorf("%d are on their way", n)
		}
		receive(conn)
		synctest.Wait()
		if n := len(s.observed(provisioning.ExchangeMessage)); n != 17 {
			t.Errorf("after a PUBACK %d went out, want 17", n)
		}
	})
}
