package allocation_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

func TestTemplateWritesTheSameRequest(t *testing.T) {
	id := "breakroom1-contoso-tstrsd-007"
	context := allocation.RuntimeContext{RegistrationID: &id, SymmetricKey: &struct{}{}, Payload: json.RawMessage(`{"a": 1}`)}
	record := &provisioning.Enrollment{EnrollmentGroupID: "contoso", Attestation: provisioning.Attestation{Type: provisioning.AttestSymmetricKey}}
	hubs := []string{"a.azure-devices.net", "b.azure-devices.net"}
	for name, r := range map[string]allocation.Request{
		"Group":      {EnrollmentGroup: record, LinkedHubs: hubs},
		"Individual": {IndividualEnrollment: record, LinkedHubs: hubs},
		"NoRecord":   {LinkedHubs: hubs},
		"NoHubs":     {EnrollmentGroup: record},
	} {
		t.Run(name, func(t *testing.T) {
			template := r.Template()
			r.DeviceRuntimeContext = context
			for range 2 { // the second must not write over the first
				if got, want := template.Asked(context), r.Asked(); !bytes.Equal(got.Body, want.Body) || got.RegistrationID != id {
					t.Errorf("%s\nwant %s", got.Body, want.Body)
				}
			}
		})
	}
}

func TestAskCallsOnceAndTellsTheTags(t *testing.T) {
	calls := 0
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, `{"iotHubHostName":"A.azure-devices.net","initialTwin":{"tags":{"x":1}}}`)
	}))
	defer webhook.Close()
	client := allocation.Client{Timeout: time.Minute}
	at := client.At(webhook.URL)
	asked := allocation.Asked{RegistrationID: "d", LinkedHubs: []string{"a.azure-devices.net"}, Body: []byte("{}")}
	if v, x := at.Ask(t.Context(), asked); v.Status != 503 || v.Hub != "" || v.Attempts != 1 || x.Status != 503 || calls != 1 {
		t.Errorf("%+v, %+v after %d calls", v, x, calls)
	}
	for range 2 { // read, and known
		v, x := at.Ask(t.Context(), asked)
		if v.Hub != "a.azure-devices.net" || x.Hub != "A.azure-devices.net" || string(x.Tags) != `{"x":1}` || x.RegistrationID != "d" {
			t.Errorf("%+v, %+v", v, x)
		}
	}
}
