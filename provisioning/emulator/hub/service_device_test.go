package hub_test

import (
	"encoding/json"
	"testing"
)

// TestADeviceIsMadeAsSDKsAskForIt, with empty keys for those that the hub is to
// make, and listed.
func TestADeviceIsMadeAsSDKsAskForIt(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		w := s.ask("PUT", "/devices/a", `{"deviceId":"a","authentication":{"type":"sas","symmetricKey":{"primaryKey":"","secondaryKey":""}}}`)
		d, _ := s.hub.Device("a")
		if w.Code != 200 || len(d.Keys.Primary) != 64 || len(d.Keys.Secondary) != 64 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for path, want := range map[string]int{"/devices": 2, "/devices/": 2, "/devices?top=1": 1} {
			var devices []struct{ DeviceID string }
			w := s.ask("GET", path, "")
			if err := json.Unmarshal(w.Body.Bytes(), &devices); err != nil || len(devices) != want || devices[0].DeviceID != "a" {
				t.Errorf("%s: %d %s, %v", path, w.Code, w.Body, err)
			}
		}
	})
}
