package hub_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/mqtt"
)

func TestWhoMayConnect(t *testing.T) {
	tests := []struct {
		name     string
		key      provisioning.Key
		resource string
		life     time.Duration
		code     byte
	}{
		{"the device's key", key(), resource, time.Hour, 0},
		{"the resource in another case", key(), strings.ToUpper(resource), time.Hour, 0},
		{"another key", provisioning.Key("another"), resource, time.Hour, 5},
		{"another device's token", key(), name + "/devices/toaster-2", time.Hour, 5},
		{"an expired token", key(), resource, -time.Second, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				_, err := s.connect(test.key, test.resource, test.life)
				var code byte
				if refused := new(mqtt.RefusedError); errors.As(err, &refused) {
					code = refused.Code
				}
				if code != test.code || err != nil && code == 0 {
					t.Errorf("CONNACK %d (%v), want %d", code, err, test.code)
				}
			})
		})
	}
}

func TestADisabledDeviceIsRefused(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		s.hub.Put(hub.Device{ID: deviceID, Keys: provisioning.SymmetricKey{Secondary: key()}, Disabled: true}, hub.Twin{})
		_, err := s.connect(key(), resource, time.Hour)
		if refused := new(mqtt.RefusedError); !errors.As(err, &refused) || refused.Code != 5 {
			t.Errorf("connecting = %v, want CONNACK 5", err)
		}
	})
}

func TestASecondConnectionClosesTheFirst(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		first := s.online()
		defer first.Close()
		second := s.online(provisioning.DesiredFilter)
		defer second.Close()
		if _, err := first.Receive(soon()); !errors.Is(err, io.EOF) {
			t.Errorf("the first connection got %v, want its end", err)
		}
		if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "400027") {
			t.Errorf("it ended for %v, want 400027", err)
		}
		if _, err := s.hub.PatchDesired(deviceID, []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		if m, err := second.Receive(soon()); err != nil || string(m.Payload) != `{"a":1,"$version":2}` {
			t.Errorf("the second connection got %q, %v", m.Payload, err)
		}
	})
}

func TestTheConnectionEndsWithTheToken(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn, err := s.connect(key(), resource, 10*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		before := time.Now()
		if _, err := conn.Receive(time.Time{}); !errors.Is(err, io.EOF) {
			t.Errorf("the device got %v, want the end", err)
		}
		if lasted := time.Since(before); lasted != 10*time.Minute {
			t.Errorf("it lasted %s, want 10m", lasted)
		}
		if err := <-s.ended; !strings.Contains(err.Error(), "401003") {
			t.Errorf("it ended for %v, want 401003", err)
		}
	})
}

// A connection on which nothing is said waits without a goroutine, and hears of what
// is to be done all the same.
func TestAQuietConnectionIsParked(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.DesiredFilter)
		defer conn.Close()
		for version := 2; version < 5; version++ {
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := serving(); n != 0 {
				t.Errorf("%d goroutines serve a quiet connection", n)
			}
			if _, err := s.hub.PatchDesired(deviceID, []byte(`{"a":1}`)); err != nil {
				t.Fatal(err)
			}
			if m, err := conn.Receive(soon()); err != nil || string(m.Payload) != fmt.Sprintf(`{"a":1,"$version":%d}`, version) {
				t.Errorf("the device got %q, %v", m.Payload, err)
			}
		}
		conn.Disconnect()
		if err := <-s.ended; err != nil {
			t.Errorf("a DISCONNECT ended in %v", err)
		}
	})
}

// serving counts goroutines of this bubble that serve a connection.
func serving() int {
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	header, _, _ := strings.Cut(stacks, ":\n")
	bubble, n := header[strings.Index(header, "synctest bubble"):], 0
	for _, one := range strings.Split(stacks, "\n\n") {
		if strings.Contains(one, bubble) && strings.Contains(one, "(*session).live") {
			n++
		}
	}
	return n
}

func TestWhatClosesTheConnection(t *testing.T) {
	publish := func(topic string, size int) func(*mqtt.Conn) {
		return func(c *mqtt.Conn) {
			c.Publish(mqtt.Message{Topic: topic, Payload: make([]byte, size)}, soon())
		}
	}
	tests := []struct {
		name, reason string
		do           func(*mqtt.Conn)
	}{
		{"another device's telemetry", "not a topic", publish("devices/toaster-2/messages/events/", 1)},
		{"a message over 256 KB", "413001", publish("devices/toaster-1/messages/events/", 256<<10+1)},
		{"another device's messages", "not a filter", func(c *mqtt.Conn) { c.Subscribe(soon(), 1, "devices/toaster-2/messages/devicebound/#") }},
		{"everything", "not a filter", func(c *mqtt.Conn) { c.Subscribe(soon(), 1, "#") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				conn := s.online()
				defer conn.Close()
				test.do(conn)
				if err := <-s.ended; err == nil || !strings.Contains(err.Error(), test.reason) {
					t.Errorf("it ended for %v, want %q", err, test.reason)
				}
			})
		})
	}
}

func TestTelemetryIsCounted(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.MethodFilter, provisioning.DeviceboundFilter(deviceID))
		for range 3 {
			m := mqtt.Message{Topic: provisioning.TelemetryTopic(deviceID, "application/json"), Payload: []byte(`{}`), QoS: 1}
			if err := conn.Publish(m, soon()); err != nil {
				t.Fatal(err)
			}
		}
		conn.Disconnect()
		if err := <-s.ended; err != nil {
			t.Errorf("a DISCONNECT ended in %v", err)
		}
		if got, want := s.hub.Totals(), (hub.Totals{Joins: 1, Telemetry: 3}); got != want {
			t.Errorf("totals = %+v, want %+v", got, want)
		}
	})
}

func TestARemovedDeviceIsDisconnected(t *testing.T) {
	inBubble(t, `{"a":1}`, func(t *testing.T, s *site) {
		conn := s.online()
		defer conn.Close()
		if twin, known := s.hub.Remove(deviceID); !known || string(twin.Desired) != `{"a":1}` {
			t.Errorf("Remove = %s, %v", twin.Desired, known)
		}
		if err := <-s.ended; err == nil || errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "404001") {
			t.Errorf("it ended for %v, want 404001", err)
		}
		if _, err := s.hub.PatchDesired(deviceID, []byte(`{}`)); err == nil {
			t.Error("a device that is gone has been patched")
		}
	})
}
