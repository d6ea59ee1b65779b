package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/mqtt"
)

func TestDesiredChangesReachWhoSubscribed(t *testing.T) {
	inBubble(t, `{"state": "ready"}`, func(t *testing.T, s *site) {
		conn := s.online()
		defer conn.Close()
		patch := func(text string) int64 {
			version, err := s.hub.PatchDesired(deviceID, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return version
		}
		patch(`{"unheard": true}`)
		if _, err := conn.Subscribe(soon(), 1, provisioning.DesiredFilter); err != nil {
			t.Fatal(err)
		}
		if version := patch(`{ "state": null, "darkness": 3 }`); version != 3 {
			t.Errorf("version %d, want 3", version)
		}
		m, err := conn.Receive(soon())
		if err != nil || m.Topic != "$iothub/twin/PATCH/properties/desired/?$version=3" || m.QoS != 0 ||
			string(m.Payload) != `{ "state": null, "darkness": 3,"$version":3}` {
			t.Errorf("told %q on %q at QoS %d, %v", m.Payload, m.Topic, m.QoS, err)
		}
		if twin, _ := s.hub.Twin(deviceID); string(twin.JSON()) != `{"desired":{"unheard":true,"darkness":3,"$version":3},"reported":{"$version":1}}` {
			t.Errorf("twin = %s", twin.JSON())
		}
	})
}

func TestReportedPatches(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 12) + "1" + strings.Repeat("}", 12)
	tests := []struct {
		name, patch string
		topic       string
		reported    string
	}{
		{"merged", `{"b":2,"c":{"d":1}}`, "$iothub/twin/res/204/?$rid=r&$version=2", `{"b":2,"c":{"d":1},"$version":2}`},
		{"an array at the top", `[1]`, "$iothub/twin/res/400/?$rid=r", `{"$version":1}`},
		{"not JSON", `{"a":`, "$iothub/twin/res/400/?$rid=r", `{"$version":1}`},
		{"a key with a full stop", `{"a.b":1}`, "$iothub/twin/res/400/?$rid=r", `{"$version":1}`},
		{"too deep", deep, "$iothub/twin/res/400/?$rid=r", `{"$version":1}`},
		{"too large", `{"a":"` + strings.Repeat("x", 33<<10) + `"}`, "$iothub/twin/res/400/?$rid=r", `{"$version":1}`},
		{"a string too long", `{"a":"` + strings.Repeat("x", 5<<10) + `"}`, "$iothub/twin/res/400/?$rid=r", `{"$version":1}`},
		{"a number too large", `{"a":4503599627370496}`, "$iothub/twin/res/400/?$rid=r", `{"$version":1}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				conn := s.online(provisioning.TwinAnswerFilter)
				defer conn.Close()
				if err := conn.Publish(mqtt.Message{Topic: "$iothub/twin/PATCH/properties/reported/?$rid=r", Payload: []byte(test.patch), QoS: 1}, soon()); err != nil {
					t.Fatal(err)
				}
				m, err := conn.Receive(soon())
				if err != nil || m.Topic != test.topic {
					t.Errorf("answered on %q with %s, %v; want %q", m.Topic, m.Payload, err, test.topic)
				}
				if strings.Contains(m.Topic, "/400/") && !json.Valid(m.Payload) {
					t.Errorf("the error's body is not JSON: %s", m.Payload)
				}
				twin, _ := s.hub.Twin(deviceID)
				if got, want := string(twin.JSON()), `{"desired":{"$version":1},"reported":`+test.reported+`}`; got != want {
					t.Errorf("twin = %s, want %s", got, want)
				}
			})
		})
	}
}

func TestAnInitialTwinThatAHubDoesNotTake(t *testing.T) {
	for _, text := range []string{`[]`, `"x"`, `{"$version":7}`, `{"a":{"b c":1}}`} {
		var initial provisioning.InitialTwin
		initial.Properties.Desired = json.RawMessage(text)
		if twin, err := hub.NewTwin(initial); err == nil {
			t.Errorf("%s became %s", text, twin.Desired)
		}
	}
	if _, err := hub.NewTwin(provisioning.InitialTwin{Tags: json.RawMessage(`{"a":"` + strings.Repeat("x", 2<<10) + strings.Repeat(`","b":"`+strings.Repeat("y", 3<<10), 2) + `"}`)}); err == nil {
		t.Error("tags of 8 KB and more were taken")
	}
}
