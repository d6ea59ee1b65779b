package emulator_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// serve opens the service SDK with the connection string that the cloud gives
// out. The SDK takes no port there.
func (n *nodeProcess) serve(t *testing.T, connectionString string) {
	t.Helper()
	port := portOf(n.cloud.HTTPSAddr())
	n.do(t, "service", args{"connectionString": strings.Replace(connectionString, ":"+port, "", 1), "port": port}, nil)
}

// call calls a method of the service SDK, which must succeed.
func (n *nodeProcess) call(t *testing.T, result any, method string, with ...any) {
	t.Helper()
	n.do(t, "call", args{"method": method, "args": append([]any{}, with...)}, result)
}

// enroll makes enrollments by the service SDK.
func (n *nodeProcess) enroll(t *testing.T, enrollments ...emulator.Enrollment) {
	t.Helper()
	n.serve(t, n.cloud.ServiceConnectionString())
	for _, e := range enrollments {
		method := "createOrUpdateIndividualEnrollment"
		if e.EnrollmentGroupID != "" {
			method = "createOrUpdateEnrollmentGroup"
		}
		n.call(t, nil, method, e.Enrollment)
	}
}

// record is what the tests read of an enrollment.
type record struct {
	ETag, RegistrationID, DeviceID, EnrollmentGroupID, ProvisioningStatus string
	Attestation                                                           struct {
		Type         string
		SymmetricKey struct{ PrimaryKey, SecondaryKey string }
	}
}

// TestMicrosoftsServiceSDKEnrolls does a back end's work with Microsoft's service
// SDK, and lets Microsoft's device SDK see what comes of it.
func TestMicrosoftsServiceSDKEnrolls(t *testing.T) {
	cloud, _ := sdkCloud(t, nil)
	sdk := startNode(t, cloud)
	sdk.serve(t, cloud.ServiceConnectionString())
	key := provisioning.Key(strings.Repeat("the SDK's own...", 4))

	var made record
	group := args{
		"enrollmentGroupId": "made-by-the-sdk", "provisioningStatus": "enabled", "allocationPolicy": "static",
		"iotHubs": []string{heatpumpsHub}, "initialTwin": args{"tags": args{"made": "by hand"}, "properties": args{"desired": args{"state": "on"}}},
		"attestation": args{"type": "symmetricKey", "symmetricKey": args{
			"primaryKey": base64.StdEncoding.EncodeToString(key), "secondaryKey": base64.StdEncoding.EncodeToString(key),
		}},
	}
	sdk.call(t, &made, "createOrUpdateEnrollmentGroup", group)
	if made.EnrollmentGroupID != "made-by-the-sdk" || made.ETag == "" || made.Attestation.Type != "symmetricKey" {
		t.Errorf("the SDK returned %+v", made)
	}
	const id = "device-of-the-sdk"
	line := sdk.try(t, "register", sdk.registering("mqtt", id, key.Derive(id)))
	checkAssigned(t, line, heatpumpsHub, "")
	if twin, _ := cloud.Twin(heatpumpsHub, id); string(twin.Tags) != `{"made":"by hand"}` {
		t.Errorf("the hub keeps tags %s", twin.Tags)
	}

	t.Run("the registration's state", func(t *testing.T) { sdk.checkState(t, id) })
	t.Run("keys by the attestation mechanism alone", func(t *testing.T) {
		var shown record
		sdk.call(t, &shown, "getEnrollmentGroup", "made-by-the-sdk")
		if shown.Attestation.SymmetricKey.PrimaryKey != "" {
			t.Error("an ordinary read shows the key")
		}
		sdk.call(t, &shown.Attestation, "getEnrollmentGroupAttestationMechanism", "made-by-the-sdk")
		if got := shown.Attestation.SymmetricKey.PrimaryKey; got != base64.StdEncoding.EncodeToString(key) {
			t.Errorf("the key is %q", got)
		}
	})
	t.Run("a stale etag", func(t *testing.T) {
		group["etag"] = `"stale"`
		line := sdk.try(t, "call", args{"method": "createOrUpdateEnrollmentGroup", "args": []any{group}})
		checkThrown(t, line, "InvalidEtagError")
		group["etag"] = made.ETag
		group["provisioningStatus"] = "disabled"
		sdk.call(t, &made, "createOrUpdateEnrollmentGroup", group)
		line = sdk.try(t, "register", sdk.registering("mqtt", id, key.Derive(id)))
		checkNodeError(t, line, "SyntaxError", "disabled", 0, "status is disabled")
	})
	t.Run("deleted", func(t *testing.T) {
		sdk.call(t, nil, "deleteEnrollmentGroup", "made-by-the-sdk", made.ETag)
		line := sdk.try(t, "call", args{"method": "getEnrollmentGroup", "args": []any{"made-by-the-sdk"}})
		checkNodeError(t, line, "Error", "", 404204, "Enrollment not found.")
		line = sdk.try(t, "register", sdk.registering("mqtt", id, key.Derive(id)))
		checkNodeError(t, line, "UnauthorizedError", "", 401000, "Unauthorized")
	})
}

func (n *nodeProcess) checkState(t *testing.T, id string) {
	t.Helper()
	var state provisioning.RegistrationState
	n.call(t, &state, "getDeviceRegistrationState", id)
	if state.AssignedHub != heatpumpsHub || state.Status != provisioning.Assigned {
		t.Errorf("the SDK returned %+v", state)
	}
	var pages [][]struct{ RegistrationID string }
	n.do(t, "query", args{"method": "createEnrollmentGroupDeviceRegistrationStateQuery", "args": []any{args{"query": "*"}, "made-by-the-sdk", 5}}, &pages)
	if len(pages) != 1 || len(pages[0]) != 1 || pages[0][0].RegistrationID != id {
		t.Errorf("the group's registrations are %+v", pages)
	}
	n.call(t, nil, "deleteDeviceRegistrationState", id)
	line := n.try(t, "call", args{"method": "getDeviceRegistrationState", "args": []any{id}})
	checkNodeError(t, line, "Error", "", 404202, "Registration not found.")
}

func checkThrown(t *testing.T, line nodeLine, name string) {
	t.Helper()
	if line.Error == nil {
		t.Fatalf("the SDK returned %s, want %s", line.Result, name)
	}
	if line.Error.Name != name {
		t.Errorf("the SDK threw %s: %s (%+v), want %s", line.Error.Name, line.Error.Message, line.Error.Result, name)
	}
}

// TestMicrosoftsServiceSDKEnrollsInBulk makes twelve devices in two calls of at
// most ten, and reads them in pages of five.
func TestMicrosoftsServiceSDKEnrollsInBulk(t *testing.T) {
	cloud, _ := sdkCloud(t, func(cfg *emulator.Config) { cfg.Enrollments = cfg.Enrollments[:1] })
	sdk := startNode(t, cloud)
	sdk.serve(t, cloud.ServiceConnectionString())
	var all []any
	for _, n := range strings.Split("abcdefghijkl", "") {
		all = append(all, args{
			"registrationId": "bulk-" + n, "deviceId": "named-" + n, "allocationPolicy": "static",
			"attestation": args{"type": "symmetricKey", "symmetricKey": args{}},
		})
	}
	for _, some := range [][]any{all[:10], all[10:]} {
		var done struct{ IsSuccessful bool }
		sdk.do(t, "bulk", args{"operation": args{"mode": "create", "enrollments": some}}, &done)
		if !done.IsSuccessful {
			t.Error("the SDK says that the bulk operation failed")
		}
	}
	if line := sdk.try(t, "bulk", args{"operation": args{"mode": "create", "enrollments": all}}); line.Error == nil {
		t.Errorf("twelve at once are taken: %s", line.Result)
	}

	var pages [][]record
	sdk.do(t, "query", args{"method": "createIndividualEnrollmentQuery", "args": []any{args{"query": "SELECT * FROM enrollments"}, 5}}, &pages)
	var sizes []int
	for _, page := range pages {
		sizes = append(sizes, len(page))
	}
	if got, _ := json.Marshal(sizes); string(got) != "[5,5,2]" {
		t.Errorf("the pages have %s records, want [5,5,2]", got)
	}

	// The service makes the keys that a record does not bring.
	var mechanism struct {
		SymmetricKey struct{ PrimaryKey provisioning.Key }
	}
	sdk.call(t, &mechanism, "getIndividualEnrollmentAttestationMechanism", "bulk-c")
	var state struct{ DeviceID string }
	sdk.do(t, "register", sdk.registering("mqtt", "bulk-c", mechanism.SymmetricKey.PrimaryKey), &state)
	if state.DeviceID != "named-c" {
		t.Errorf("the device is called %q, want named-c", state.DeviceID)
	}
}

func TestMicrosoftsServiceSDKIsRefused(t *testing.T) {
	cloud, _ := sdkCloud(t, nil)
	sdk := startNode(t, cloud)
	sdk.serve(t, "HostName=localhost;SharedAccessKeyName=provisioningserviceowner;SharedAccessKey="+base64.StdEncoding.EncodeToString([]byte("nobody's key")))
	checkThrown(t, sdk.try(t, "call", args{"method": "getEnrollmentGroup", "args": []any{groupID}}), "UnauthorizedError")
}
