package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/mqtt"
)

// answer answers the next direct method after a while.
func answer(t *testing.T, conn *mqtt.Conn, after time.Duration, status int, body string) {
	t.Helper()
	m, err := conn.Receive(soon())
	if err != nil {
		t.Error(err)
		return
	}
	_, rid, ok := provisioning.ParseMethod(m.Topic)
	if !ok {
		t.Errorf("the device got %q", m.Topic)
	}
	time.Sleep(after)
	reply := mqtt.Message{Topic: provisioning.MethodAnswerTopic(status, rid), Payload: []byte(body)}
	if err := conn.Publish(reply, soon()); err != nil {
		t.Error(err)
	}
}

// TestASubscriptionHoldsFromItsSUBACK: whoever reads that may call a method at
// once.
func TestASubscriptionHoldsFromItsSUBACK(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		called := make(chan error, 1)
		s.late = func() {
			go func() {
				_, err := s.hub.CallMethod(context.Background(), deviceID, hub.MethodCall{Name: "toast"})
				called <- err
			}()
			time.Sleep(time.Millisecond)
		}
		conn := s.online(provisioning.MethodFilter)
		defer conn.Close()
		go answer(t, conn, 0, 200, "{}")
		if err := <-called; err != nil {
			t.Error(err)
		}
	})
}

func TestADirectMethodIsAnswered(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.MethodFilter)
		defer conn.Close()
		go func() {
			m, err := conn.Receive(soon())
			if err != nil || m.Topic != "$iothub/methods/POST/toast/?$rid=1" || string(m.Payload) != `{"slots":2}` || m.QoS != 0 {
				t.Errorf("the device got %q on %q at QoS %d, %v", m.Payload, m.Topic, m.QoS, err)
			}
			conn.Publish(mqtt.Message{Topic: "$iothub/methods/res/207/?$rid=1", Payload: []byte(`{"done":true}`), QoS: 1}, soon())
		}()
		got, err := s.hub.CallMethod(t.Context(), deviceID, hub.MethodCall{Name: "toast", Payload: []byte(`{"slots":2}`)})
		if err != nil || got.Status != 207 || string(got.Payload) != `{"done":true}` {
			t.Errorf("the method was answered %d %s, %v", got.Status, got.Payload, err)
		}
		seen := s.observed(provisioning.ExchangeMethod)
		if len(seen) != 1 || seen[0].Method != "toast" || seen[0].Status != 207 || string(seen[0].Asked) != `{"slots":2}` || seen[0].RegistrationID != deviceID {
			t.Errorf("observed %+v", seen)
		}
	})
}

// TestWhenAMethodFails holds the code and the instant of each failure.
func TestWhenAMethodFails(t *testing.T) {
	tests := []struct {
		name    string
		call    hub.MethodCall
		filters []string
		code    provisioning.Code
		after   time.Duration
	}{
		{name: "the device is offline", call: hub.MethodCall{Name: "toast"}, code: 404103},
		{name: "it has not subscribed", call: hub.MethodCall{Name: "toast"}, filters: []string{provisioning.DesiredFilter}, code: 404103},
		{name: "it does not come in time", call: hub.MethodCall{Name: "toast", ConnectTimeout: 7 * time.Second}, code: 404103, after: 7 * time.Second},
		{name: "the shortest time-out", call: hub.MethodCall{Name: "toast", Timeout: 5 * time.Second}, filters: []string{provisioning.MethodFilter}, code: 504101, after: 5 * time.Second},
		{name: "it does not answer", call: hub.MethodCall{Name: "toast"}, filters: []string{provisioning.MethodFilter}, code: 504101, after: 30 * time.Second},
		{name: "the longest time-out", call: hub.MethodCall{Name: "toast", Timeout: 300 * time.Second}, filters: []string{provisioning.MethodFilter}, code: 504101, after: 300 * time.Second},
		{name: "a time-out too short", call: hub.MethodCall{Name: "toast", Timeout: 5*time.Second - 1}, code: 400004},
		{name: "a time-out too long", call: hub.MethodCall{Name: "toast", Timeout: 300*time.Second + 1}, code: 400004},
		{name: "a name with a slash", call: hub.MethodCall{Name: "to/ast"}, code: 400004},
		{name: "no name", code: 400004},
		{name: "a payload that is not JSON", call: hub.MethodCall{Name: "toast", Payload: []byte("{")}, code: 400004},
		{name: "a payload over 128 KB", call: hub.MethodCall{Name: "toast", Payload: []byte(`"` + strings.Repeat("x", 128<<10) + `"`)}, code: 413001},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				if test.filters != nil {
					conn := s.online(test.filters...)
					defer conn.Close()
				}
				start := time.Now()
				_, err := s.hub.CallMethod(t.Context(), deviceID, test.call)
				if refused := new(hub.Error); !errors.As(err, &refused) || refused.Code != test.code {
					t.Errorf("the method ended in %v, want %d", err, test.code)
				}
				if took := time.Since(start); took != test.after {
					t.Errorf("it took %s, want %s", took, test.after)
				}
			})
		})
	}
}

func TestAnAnswerInTheLastMomentCounts(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.MethodFilter)
		defer conn.Close()
		go answer(t, conn, 5*time.Second-1, 200, `not JSON`)
		got, err := s.hub.CallMethod(t.Context(), deviceID, hub.MethodCall{Name: "toast", Timeout: 5 * time.Second})
		if err != nil || got.Status != 200 || string(got.Payload) != "null" {
			t.Errorf("answered %d %s, %v", got.Status, got.Payload, err)
		}
	})
}

// TestALateAnswerIsNobodys: it must not be taken for the answer of the next call.
func TestALateAnswerIsNobodys(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.MethodFilter)
		defer conn.Close()
		go func() {
			answer(t, conn, 6*time.Second, 200, `"late"`)
			answer(t, conn, 0, 200, `"second"`)
		}()
		call := hub.MethodCall{Name: "toast", Timeout: 5 * time.Second}
		if _, err := s.hub.CallMethod(t.Context(), deviceID, call); err == nil {
			t.Error("the first call was answered")
		}
		if got, err := s.hub.CallMethod(t.Context(), deviceID, call); err != nil || string(got.Payload) != `"second"` {
			t.Errorf("the second call was answered %s, %v", got.Payload, err)
		}
	})
}

func TestAMethodWaitsForItsDevice(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		done := make(chan struct{})
		defer close(done)
		go func() {
			time.Sleep(9 * time.Second)
			conn := s.online(provisioning.MethodFilter)
			defer conn.Close()
			answer(t, conn, 0, 200, `{}`)
			<-done
		}()
		start := time.Now()
		call := hub.MethodCall{Name: "toast", ConnectTimeout: 10 * time.Second}
		if _, err := s.hub.CallMethod(t.Context(), deviceID, call); err != nil || time.Since(start) != 9*time.Second {
			t.Errorf("the method ended in %v after %s", err, time.Since(start))
		}
	})
}

func TestACallThatIsGivenUpEnds(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.MethodFilter)
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.hub.CallMethod(ctx, deviceID, hub.MethodCall{Name: "toast"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended in %v", err)
		}
	})
}

func TestUnansweredMethodsAreBounded(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.MethodFilter)
		defer conn.Close()
		for range 64 {
			go s.hub.CallMethod(t.Context(), deviceID, hub.MethodCall{Name: "toast"})
		}
		synctest.Wait()
		_, err := s.hub.CallMethod(t.Context(), deviceID, hub.MethodCall{Name: "toast"})
		if refused := new(hub.Error); !errors.As(err, &refused) || refused.Status != 429 {
			t.Errorf("the 65th call ended in %v, want 429", err)
		}
		time.Sleep(time.Minute)
	})
}
