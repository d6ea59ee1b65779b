package provisioning_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

const wholeRecord = `{"enrollmentGroupId":"g","registrationId":"r","deviceId":"d",` +
	`"registrationState":{"registrationId":"r","assignedHub":"h","deviceId":"d","status":"assigned","payload":{"a": 1}},` +
	`"attestation":{"type":"symmetricKey","symmetricKey":{"primaryKey":"cHJpbWFyeQ==","secondaryKey":"c2Vjb25kYXJ5"}},` +
	`"capabilities":{"iotEdge":true},"iotHubHostName":"h",` +
	`"initialTwin":{"properties":{"desired":{"z<": [1,  2],"a":null}},"tags":{"b": 1}},` +
	`"etag":"\"e\"","provisioningStatus":"disabled","reprovisionPolicy":{"updateHubAssignment":true,"migrateDeviceData":false},` +
	`"createdDateTimeUtc":"2022-08-03T20:34:41.178Z","lastUpdatedDateTimeUtc":"2022-08-03T20:34:42Z","allocationPolicy":"custom",` +
	`"iotHubs":["h","i"],"customAllocationDefinition":{"webhookUrl":"https://f.example/?code=1&x=<","apiVersion":"2021-10-01"}}`

func TestARecordComesBackToTheByte(t *testing.T) {
	e, err := provisioning.ParseEnrollment([]byte(wholeRecord))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.JSON(); err != nil || string(got) != wholeRecord {
		t.Errorf("%v\n got %s\nwant %s", err, got, wholeRecord)
	}
}

// TestEveryMemberOfARecordIsWritten fails when a member is added to Enrollment and
// not to what JSON writes.
func TestEveryMemberOfARecordIsWritten(t *testing.T) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(wholeRecord), &members); err != nil {
		t.Fatal(err)
	}
	for field := range reflect.TypeFor[provisioning.Enrollment]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if _, there := members[name]; !there {
			t.Errorf("%s is not in the record above, and perhaps not in Enrollment.JSON", name)
		}
	}
}

func TestABrokenRecordIsAnErrorThatQuotesNoKey(t *testing.T) {
	_, err := provisioning.ParseEnrollment([]byte(`{"attestation":{"symmetricKey":{"primaryKey":"secret!"}}}`))
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "not base64") {
		t.Errorf("error = %v", err)
	}
}

func FuzzParseEnrollment(f *testing.F) {
	f.Add(wholeRecord)
	f.Add(`{"initialTwin":{"tags":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := provisioning.ParseEnrollment([]byte(text))
		if err != nil {
			return
		}
		once, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := provisioning.ParseEnrollment(once)
		if err != nil {
			t.Fatalf("%v: %s", err, once)
		}
		if twice, err := again.JSON(); err != nil || string(twice) != string(once) {
			t.Errorf("%v\n once %s\ntwice %s", err, once, twice)
		}
	})
}
