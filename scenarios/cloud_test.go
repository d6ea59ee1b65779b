package scenarios_test

import (
	"strings"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// The key that somebody names goes before the scenario's, and that before the
// tutorial's.
func TestWhichGroupKeyHolds(t *testing.T) {
	given, own, fallback := provisioning.NewKey(), provisioning.NewKey(), provisioning.NewKey()
	withKey := strings.Replace(oneToaster, "{policy: contoso}", "{policy: contoso, primaryKey: \""+own.Base64()+"\"}", 1)
	tests := []struct {
		name, scenario string
		given, want    provisioning.Key
	}{
		{"GivenBeforeTheScenarios", withKey, given, given},
		{"TheScenarios", withKey, nil, own},
		{"Given", oneToaster, given, given},
		{"Fallback", oneToaster, nil, fallback},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := read(t, test.scenario).Config(test.given, fallback)
			if got := config.Enrollments[0].Attestation.SymmetricKey.Primary; got.Base64() != test.want.Base64() {
				t.Error("another key holds")
			}
		})
	}
}

func TestBoundsThatAreOursAreSettings(t *testing.T) {
	text := strings.Replace(oneToaster, "cloud:\n", "cloud:\n  webhookCalls: 8\n  observe: {perDevice: 2, inAll: 3, body: 4}\n", 1)
	config := read(t, text).Config(nil, nil)
	if want := (emulator.Observe{PerDevice: 2, InAll: 3, Body: 4}); config.WebhookCalls != 8 || config.Observe != want {
		t.Errorf("%d calls, %+v", config.WebhookCalls, config.Observe)
	}
}
