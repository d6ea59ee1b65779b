package provisioning_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
)

func TestOperationsAreTheServicesByteForByte(t *testing.T) {
	for _, name := range []string{"accepted", "assigning", "assigned-x509", "assigned-payload", "failed", "disabled"} {
		want := body(t, name)
		op, err := provisioning.ParseOperation(want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := op.JSON(); string(got) != string(want) {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
	if n := len(body(t, "accepted")); n != 94 {
		t.Errorf("the first answer has %d bytes; the captured one has 94", n)
	}
}

func TestOperationSaysWhatTheWireSays(t *testing.T) {
	op, err := provisioning.ParseOperation(body(t, "failed"))
	if err != nil {
		t.Fatal(err)
	}
	want := provisioning.RegistrationState{
		RegistrationID: "dev1",
		Created:        provisioning.Timestamp{Time: time.Date(2021, 2, 1, 1, 24, 1, 1e8, time.UTC)},
		Status:         provisioning.Failed,
		ErrorCode:      provisioning.CustomAllocationFailed,
		ErrorMessage:   "Custom allocation failed with status code: 400",
		LastUpdated:    provisioning.Timestamp{Time: time.Date(2021, 2, 1, 1, 25, 1, 437430100, time.UTC)},
		ETag:           "IjEi",
	}
	if op.Status != provisioning.Failed || !reflect.DeepEqual(*op.State, want) {
		t.Errorf("%+v %+v", op, op.State)
	}
}

func TestOperationThatSaysTooLittleIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "the answer of DPS",
		"[]":                    "the answer of DPS",
		"{}":                    "has no status",
		`{"operationId":"1"}`:   "has no status",
		`{"status":"assigned"}`: "does not say where",
		`{"status":"assigned","registrationState":{"deviceId":"d"}}`:    "does not say where",
		`{"status":"assigned","registrationState":{"assignedHub":"h"}}`: "does not say where",
		string(body(t, "refused")):                                      "has no status",
	} {
		if _, err := provisioning.ParseOperation([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestPayloadPassesThroughToTheByte(t *testing.T) {
	for _, payload := range []string{
		`{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0"}`,
		`{ "b" : 1 ,` + "\n\t" + `"a":[ 1.0, 1e5 ],"b":2}`,
		`{"html":"<a href='x'>&amp;</a>","line":"\u2028","slash":"\/"}`,
		`"{\"json\":\"in a string, as Java's SDK sends it\"}"`,
		`12345678901234567890.123`,
		`[]`, `false`,
	} {
		registration := provisioning.Registration{RegistrationID: "dev1", Payload: json.RawMessage(payload)}
		wire := `{"registrationId":"dev1","payload":` + payload + `}`
		if got := string(registration.JSON()); got != wire {
			t.Errorf("\n%s, want\n%s", got, wire)
		}
		again, err := provisioning.ParseRegistration([]byte(wire))
		if err != nil || !reflect.DeepEqual(again, registration) {
			t.Errorf("%s: %s, %v", wire, again.Payload, err)
		}
		state := provisioning.RegistrationState{RegistrationID: "dev1", Status: provisioning.Assigned, Payload: json.RawMessage(payload)}
		if got := string(state.JSON()); !strings.HasSuffix(got, `,"payload":`+payload+`}`) {
			t.Errorf("%s has not %s", got, payload)
		}
	}
}

func TestAnswersAreASCII(t *testing.T) {
	state := provisioning.RegistrationState{
		RegistrationID: "dev1", Status: provisioning.Failed, ErrorMessage: "\"Z\u00fcrich\" \\ \U0001F525 \x01\x7f",
		Payload: json.RawMessage("{\"\u00fc\": \"\U0001F525 <\"}"),
	}
	want := `{"registrationId":"dev1","status":"failed","errorMessage":"\"Z\u00fcrich\" \\ \ud83d\udd25 \u0001\u007f","payload":{"\u00fc": "\ud83d\udd25 <"}}`
	got := state.JSON()
	if string(got) != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	var again provisioning.RegistrationState
	if err := json.Unmarshal(got, &again); err != nil || again.ErrorMessage != state.ErrorMessage {
		t.Errorf("%q came back, %v", again.ErrorMessage, err)
	}
}

func TestRegistrationBodiesOfAllSDKsAreRead(t *testing.T) {
	for text, want := range map[string]provisioning.Registration{
		"":                          {},
		" ":                         {},
		`{}`:                        {},
		`{"registrationId":"dev1"}`: {RegistrationID: "dev1"},
		`{"payload": null, "registrationId": "dev1"}`:     {RegistrationID: "dev1"},
		`{"payload":{"a":1}}`:                             {Payload: json.RawMessage(`{"a":1}`)},
		`{"registrationId":"dev1","payload":"{\"a\":1}"}`: {RegistrationID: "dev1", Payload: json.RawMessage(`"{\"a\":1}"`)},
		`{"csr":"MIIB","payload":{}}`:                     {Payload: json.RawMessage(`{}`)},
	} {
		got, err := provisioning.ParseRegistration([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"{", "[]", `"dev1"`, `{"registrationId":1}`, `{"registrationId":"a"} {}`, "\x00"} {
		if got, err := provisioning.ParseRegistration([]byte(text)); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
	if got := string(provisioning.Registration{}.JSON()); got != "{}" {
		t.Errorf("an empty registration is %s", got)
	}
}

func TestTimestampsLoseTheirTrailingZeros(t *testing.T) {
	zone := time.FixedZone("", 3600)
	for want, at := range map[string]time.Time{
		"2022-07-18T10:58:31.62286Z":   time.Date(2022, 7, 18, 10, 58, 31, 622860000, time.UTC),
		"2023-02-23T23:42:29.8828674Z": time.Date(2023, 2, 24, 0, 42, 29, 882867499, zone),
		"2023-02-23T23:42:29Z":         time.Date(2023, 2, 23, 23, 42, 29, 99, time.UTC),
		"":                             {},
	} {
		stamp := provisioning.Timestamp{Time: at}
		if got := stamp.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		text, err := json.Marshal(stamp)
		if err != nil || string(text) != `"`+want+`"` {
			t.Errorf("in JSON it is %s, %v; want %q", text, err, want)
		}
		var again provisioning.Timestamp
		if err := json.Unmarshal(text, &again); err != nil || again.String() != want {
			t.Errorf("%s came back as %s, %v", text, again, err)
		}
	}
	for _, text := range []string{`"yesterday"`, `1`, `"2022-07-18"`} {
		var stamp provisioning.Timestamp
		if err := json.Unmarshal([]byte(text), &stamp); err == nil {
			t.Errorf("%s was taken as %v", text, stamp)
		}
	}
	var stamp provisioning.Timestamp
	if err := json.Unmarshal([]byte("null"), &stamp); err != nil || !stamp.IsZero() {
		t.Errorf("null became %v, %v", stamp, err)
	}
}

func TestMarshalLeavesHTMLAlone(t *testing.T) {
	got, err := provisioning.Marshal(map[string]string{"a": "<b> & c"})
	if err != nil || string(got) != `{"a":"<b> & c"}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := provisioning.Marshal(make(chan int)); err == nil {
		t.Error("a channel became JSON")
	}
}
