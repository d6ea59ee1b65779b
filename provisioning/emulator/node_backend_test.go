package emulator_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// atHub opens the hub's service SDK with the connection string that the cloud
// gives out. The SDK takes no port there.
func (n *nodeProcess) atHub(t *testing.T, hub string) {
	t.Helper()
	port := portOf(n.cloud.HTTPSAddr())
	n.do(t, "atHub", args{"connectionString": strings.Replace(n.cloud.HubConnectionString(hub), ":"+port, "", 1), "port": port}, nil)
}

func (n *nodeProcess) registry(t *testing.T, result any, method string, with ...any) {
	t.Helper()
	n.do(t, "registry", args{"method": method, "args": append([]any{}, with...)}, result)
}

// TestMicrosoftsHubSDKManagesDevices does a back end's work at a hub with
// Microsoft's service SDK: a device is made, connects with the key that the hub
// made, is disabled, listed, queried and deleted.
func TestMicrosoftsHubSDKManagesDevices(t *testing.T) {
	cloud, _ := sdkCloud(t, nil)
	sdk := startNode(t, cloud)
	sdk.atHub(t, heatpumpsHub)
	var made struct {
		ETag, Status   string
		Authentication struct{ SymmetricKey struct{ PrimaryKey string } }
	}
	for _, id := range []string{"by-hand-1", "by-hand-2", "by-hand-3"} {
		sdk.registry(t, &made, "create", args{"deviceId": id})
	}
	key, err := base64.StdEncoding.DecodeString(made.Authentication.SymmetricKey.PrimaryKey)
	if err != nil || len(key) == 0 || made.ETag == "" || made.Status != "enabled" {
		t.Errorf("the SDK returned %+v", made)
	}
	sdk.do(t, "connect", sdk.joining("mqtt", heatpumpsHub, "by-hand-3", key), nil)
	sdk.do(t, "close", args{"device": "by-hand-3"}, nil)
	checkThrown(t, sdk.try(t, "registry", args{"method": "create", "args": []any{args{"deviceId": "by-hand-1"}}}), "DeviceAlreadyExistsError")
	sdk.registry(t, &made, "update", args{"deviceId": "by-hand-3", "status": "disabled"})
	checkThrown(t, sdk.try(t, "connect", sdk.joining("mqtt", heatpumpsHub, "by-hand-3", key)), "UnauthorizedError")

	var listed []struct{ DeviceID string }
	sdk.registry(t, &listed, "list")
	var pages [][]struct{ DeviceID string }
	sdk.do(t, "queryHub", args{"query": "SELECT * FROM devices", "size": 2}, &pages)
	if len(listed) != 3 || len(pages) != 2 || len(pages[1]) != 1 || pages[1][0].DeviceID != "by-hand-3" {
		t.Errorf("listed %+v, queried %+v", listed, pages)
	}
	sdk.registry(t, nil, "delete", "by-hand-1")
	checkThrown(t, sdk.try(t, "registry", args{"method": "get", "args": []any{"by-hand-1"}}), "DeviceNotFoundError")
}

// TestMicrosoftsHubSDKTalksToADevice, which is Microsoft's too: twin and direct
// method.
func TestMicrosoftsHubSDKTalksToADevice(t *testing.T) {
	cloud, _ := sdkCloud(t, nil)
	sdk := startNode(t, cloud)
	sdk.boot(t, "mqtt")
	sdk.lookAfterTwin(t)
	sdk.atHub(t, toastersHub)
	var twin struct {
		ETag       string
		Tags       args
		Properties struct{ Desired, Reported args }
	}
	sdk.registry(t, &twin, "getTwin", toaster)
	if twin.Properties.Reported["state"] != "toasting" || twin.Tags["deviceType"] != "toaster" {
		t.Errorf("the SDK read %+v", twin)
	}
	patch := args{"properties": args{"desired": args{"darknessSetting": "light"}}}
	checkThrown(t, sdk.try(t, "registry", args{"method": "updateTwin", "args": []any{toaster, patch, "stale"}}), "InvalidEtagError")
	sdk.registry(t, nil, "updateTwin", toaster, patch, twin.ETag)
	if got, want := sdk.hear(t, toaster, "desired"), `{"darknessSetting":"light","$version":3}`; got != want {
		t.Errorf("the device heard %s, want %s", got, want)
	}
	sdk.answerMethod(t)
	var answer struct {
		Status  int
		Payload struct{ Slices int }
	}
	sdk.do(t, "invoke", args{"device": toaster, "params": args{"methodName": "eject", "payload": args{"gently": false}}}, &answer)
	if answer.Status != 207 || answer.Payload.Slices != 2 {
		t.Errorf("the SDK was answered %+v", answer)
	}
	if got, want := sdk.hear(t, toaster, "method"), `{"name":"eject","payload":{"gently":false}}`; got != want {
		t.Errorf("the device heard %s, want %s", got, want)
	}
	sdk.do(t, "close", args{"device": toaster}, nil)
	checkThrown(t, sdk.try(t, "invoke", args{"device": toaster, "params": args{"methodName": "eject"}}), "Error")
}
