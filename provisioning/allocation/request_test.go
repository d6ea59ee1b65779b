package allocation_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

var update = flag.Bool("update", false, "write the golden files")

// read is a file of testdata.
func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden compares got with a file of testdata. The toaster's are copied from the
// tutorial, so that they are never written: we must not correct Microsoft.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update && !strings.HasPrefix(name, "toaster.") {
		if err := os.WriteFile(filepath.Join("testdata", name), got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, name); !bytes.Equal(got, want) {
		t.Errorf("%s differs\ngot  %s\nwant %s", name, got, want)
	}
}

const (
	toasterID = "breakroom499-contoso-tstrsd-007"
	pumpID    = "mainbuilding167-contoso-hpsd-088"
	toasters  = "contoso-toasters-hub-1098.azure-devices.cn"
	heatpumps = "contoso-heatpumps-hub-1098.azure-devices.cn"
)

func ptr[T any](v T) *T { return &v }

// tutorialRequest is the request of the tutorial's log, with secrets in it that
// the log does not have.
func tutorialRequest(t testing.TB) allocation.Request {
	t.Helper()
	var created provisioning.Timestamp
	if err := created.UnmarshalText([]byte("2022-08-03T17:15:10.8464255Z")); err != nil {
		t.Fatal(err)
	}
	group := provisioning.Enrollment{
		EnrollmentGroupID: "contoso-custom-allocated-devices",
		Attestation: provisioning.Attestation{
			Type:         provisioning.AttestSymmetricKey,
			SymmetricKey: &provisioning.SymmetricKey{Primary: provisioning.Key("group secret")},
		},
		Capabilities: &provisioning.Capabilities{},
		ETag:         `"0000f176-0000-0700-0000-62eaad1e0000"`,
		Provisioning: provisioning.ProvisioningEnabled,
		Reprovision:  &provisioning.ReprovisionPolicy{UpdateHubAssignment: true, MigrateDeviceData: true},
		Created:      created,
		LastUpdated:  created,
		Allocation:   provisioning.AllocateCustom,
		IoTHubs:      []string{toasters, heatpumps},
		InitialTwin:  &provisioning.InitialTwin{Tags: json.RawMessage(`{"a":1}`)},
		CustomAllocation: &provisioning.CustomAllocationDefinition{
			WebhookURL: "https://contoso-function-app-1098.chinacloudsites.cn/api/HttpTrigger1?code=functionsecret",
			APIVersion: provisioning.AllocationAPIVersion,
		},
	}
	return allocation.Request{
		EnrollmentGroup: &group,
		DeviceRuntimeContext: allocation.RuntimeContext{
			RegistrationID:        ptr(toasterID),
			CurrentIoTHubHostName: toasters,
			CurrentDeviceID:       toasterID,
			SymmetricKey:          &struct{}{},
			Payload:               json.RawMessage(`{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0"}`),
		},
		LinkedHubs: []string{toasters, heatpumps},
	}
}

func TestRequestIsTheTutorials(t *testing.T) {
	golden(t, "toaster.request.json", tutorialRequest(t).JSON())
}

func TestRequestShowsNoSecret(t *testing.T) {
	body := string(tutorialRequest(t).JSON())
	for _, secret := range []string{"functionsecret", provisioning.Key("group secret").Base64(), "primaryKey"} {
		if strings.Contains(body, secret) {
			t.Errorf("the request shows %q: %s", secret, body)
		}
	}
}

func TestRequestKeepsThePayloadByteForByte(t *testing.T) {
	payload := "{ \"b\" : 1.0, \"a\":\"<ü&>\" ,\"a\":2}"
	r := allocation.Request{DeviceRuntimeContext: allocation.RuntimeContext{Payload: json.RawMessage(payload)}}
	if want := `{"deviceRuntimeContext":{"payload":` + payload + `},"linkedHubs":[]}`; string(r.JSON()) != want {
		t.Errorf("got %s, want %s", r.JSON(), want)
	}
}

func TestRequestOfAnIndividualWithACertificate(t *testing.T) {
	r := allocation.Request{
		IndividualEnrollment: &provisioning.Enrollment{
			RegistrationID: "d1",
			Attestation:    provisioning.Attestation{Type: provisioning.AttestX509},
		},
		DeviceRuntimeContext: allocation.RuntimeContext{
			RegistrationID: ptr("d1"),
			X509:           &allocation.X509Context{ClientCertificate: []byte{0x30, 0x82}},
		},
		LinkedHubs: []string{"h"},
	}
	golden(t, "individual.request.json", r.JSON())
}

func TestRequestReadsBackAsWritten(t *testing.T) {
	body := tutorialRequest(t).JSON()
	var r allocation.Request
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.JSON(), body) {
		t.Errorf("read and written again it is %s", r.JSON())
	}
	if at := r.EnrollmentGroup.Created.Time; at.Year() != 2022 || at.Location() != time.UTC {
		t.Errorf("created at %v", at)
	}
}
