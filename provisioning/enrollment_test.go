package provisioning_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

func TestEnrollmentIsShownAsInTheTutorialsLog(t *testing.T) {
	want, err := os.ReadFile("testdata/enrollment-shown.json")
	if err != nil {
		t.Fatal(err)
	}
	var record provisioning.Enrollment
	if err := json.Unmarshal(want, &record); err != nil {
		t.Fatal(err)
	}
	record.Attestation.SymmetricKey = &provisioning.SymmetricKey{Primary: provisioning.NewKey(), Secondary: provisioning.NewKey()}
	record.InitialTwin = &provisioning.InitialTwin{Tags: json.RawMessage(`{"secret":1}`)}
	record.CustomAllocation.WebhookURL = strings.Replace(record.CustomAllocation.WebhookURL, "****", "code=SECRET", 1)

	got, err := provisioning.Marshal(record.Shown())
	if err != nil || string(got) != string(want) {
		t.Errorf("\n%s, %v; want\n%s", got, err, want)
	}
	if !strings.Contains(record.CustomAllocation.WebhookURL, "SECRET") || record.Attestation.SymmetricKey == nil || record.InitialTwin == nil {
		t.Error("showing the record changed it")
	}
	record.Shown().IoTHubs[0] = "changed"
	if record.IoTHubs[0] == "changed" {
		t.Error("the record and what was shown share their hubs")
	}
}

func TestEnrollmentIsCalledByEitherID(t *testing.T) {
	group := provisioning.Enrollment{EnrollmentGroupID: "group"}
	individual := provisioning.Enrollment{RegistrationID: "dev1", DeviceID: "toaster"}
	if group.ID() != "group" || individual.ID() != "dev1" {
		t.Errorf("%s and %s", group.ID(), individual.ID())
	}
}

func TestAnEmptyKeyIsNone(t *testing.T) {
	e, err := provisioning.ParseEnrollment([]byte(`{"registrationId":"a","attestation":{"type":"symmetricKey","symmetricKey":{"primaryKey":"","secondaryKey":"c2VjcmV0"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if keys := e.Attestation.SymmetricKey; keys.Primary != nil || string(keys.Secondary) != "secret" {
		t.Error("the keys are others")
	}
}

func TestMaskURLShowsNoSecret(t *testing.T) {
	for url, want := range map[string]string{
		"https://app.azurewebsites.net/api/HttpTrigger1?code=SECRET": "https://app.azurewebsites.net/api/HttpTrigger1?****",
		"https://app.azurewebsites.net/api/a?x=1&code=SECRET#SECRET": "https://app.azurewebsites.net/api/a?****",
		"http://me:SECRET@localhost:7071/api/HttpTrigger1":           "http://localhost:7071/api/HttpTrigger1",
		"http://localhost:7071/api/HttpTrigger1":                     "http://localhost:7071/api/HttpTrigger1",
		"app.azurewebsites.net/api?code=SECRET":                      "app.azurewebsites.net/api?****",
		"http://%zz?code=SECRET":                                     "****",
		"http://a b?code=SECRET":                                     "****",
		"":                                                           "",
	} {
		if got := provisioning.MaskURL(url); got != want || strings.Contains(got, "SECRET") {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
}
