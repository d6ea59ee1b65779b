package provisioning_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"dpsfleet/provisioning"
)

// FuzzPlain holds the bodies that are read without reflection against
// encoding/json: the same ones are taken, and the same is read.
func FuzzPlain(f *testing.F) {
	for _, body := range []string{
		`{"registrationId":"breakroom499-contoso-tstrsd-007","payload":{"a":[1,"}\"",{"b":null}]}}`,
		"\t{ \"payload\" : 12 ,\r\n\"registrationId\":\"a\" } ",
		`{"RegistrationID":"a","payload":null,"tpm":{"endorsementKey":"x"}}`,
		`{"registrationId":"a\u0062","registrationId":null,"other":1}`,
		`{"operationId":"5.a.b","status":"assigned","registrationState":{"x509":{},"registrationId":"a",` +
			`"createdDateTimeUtc":"2026-11-23T05:50:28.1234567Z","assignedHub":"h","deviceId":"a","status":"assigned",` +
			`"substatus":"initialAssignment","lastUpdatedDateTimeUtc":"2026-11-23T05:50:28Z","etag":"e","payload":{"c":"ü"}}}`,
		`{"operationId":"5.a.b","status":"assigning","registrationState":{"status":"failed","errorCode":400207,"errorMessage":"\"x\""}}`,
		`{"status":"assigned","registrationState":{"deviceId":"a"},"registrationState":{"assignedHub":"h"}}`,
		`{"status":"failed","registrationState":{"errorCode":1e3,"createdDateTimeUtc":""}}`,
		`{"status":"failed","registrationState":[]}`, `{"status":true}`, `{}`, `null`, `[]`, `"`, `{"a"`, ` `,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r provisioning.Registration
		err := json.Unmarshal(body, &r)
		got, gotErr := provisioning.ParseRegistration(body)
		if len(bytes.TrimSpace(body)) > 0 && (err == nil) != (gotErr == nil) {
			t.Errorf("the registration %q: %v, want %v", body, gotErr, err)
		}
		if err == nil && (got.RegistrationID != r.RegistrationID || orNone(got.Payload) != orNone(r.Payload) || orNone(got.TPM) != orNone(r.TPM)) {
			t.Errorf("the registration %q is %+v, want %+v", body, got, r)
		}
		var op provisioning.Operation
		if json.Unmarshal(body, &op) != nil {
			op = provisioning.Operation{}
		}
		if heard, err := provisioning.ParseOperation(body); err == nil && !reflect.DeepEqual(heard, op) {
			t.Errorf("the operation %q is %+v, want %+v", body, heard, op)
		} else if err != nil && complete(op) {
			t.Errorf("the operation %q: %v", body, err)
		}
	})
}

// orNone takes null for no JSON, as a registration does.
func orNone(text json.RawMessage) string {
	if string(text) == "null" {
		return ""
	}
	return string(text)
}

// complete reports whether a device can do something with an answer.
func complete(op provisioning.Operation) bool {
	there := op.State != nil && op.State.AssignedHub != "" && op.State.DeviceID != ""
	return op.Status != "" && (op.Status != provisioning.Assigned || there)
}
