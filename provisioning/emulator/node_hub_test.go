package emulator_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// joining is the arguments of a connection to the hub that a device was assigned
// to. The hub's name stays what it is in user name and token; GatewayHostName is
// what is dialled.
func (n *nodeProcess) joining(transport, hub, id string, key provisioning.Key) args {
	port, proof := portOf(n.cloud.Addr()), "x509=true"
	gateway := "localhost:" + port
	if transport == "wss" {
		gateway, port = "localhost", portOf(n.cloud.HTTPSAddr())
	}
	if key != nil {
		proof = "SharedAccessKey=" + base64.StdEncoding.EncodeToString(key)
	}
	return args{
		"device": id, "transport": transport, "port": port,
		"connectionString": "HostName=" + hub + ";DeviceId=" + id + ";GatewayHostName=" + gateway + ";" + proof,
	}
}

// TestMicrosoftsSDKLivesAtItsHub boots a toaster: registered, connected to the
// hub it was given with the key it registered with, twin read, state reported, a
// desired change heard, telemetry sent.
func TestMicrosoftsSDKLivesAtItsHub(t *testing.T) {
	for _, transport := range []string{"mqtt", "wss"} {
		t.Run(transport, func(t *testing.T) {
			cloud, _ := sdkCloud(t, nil)
			sdk := startNode(t, cloud)
			sdk.boot(t, transport)
			sdk.lookAfterTwin(t)
			for range 3 {
				sdk.do(t, "send", args{"device": toaster, "body": `{"slices":2}`, "properties": args{"alert": "crumbs & smoke"}}, nil)
			}
			sdk.do(t, "close", args{"device": toaster}, nil)
			if got := cloud.Totals().Telemetry; got != 3 {
				t.Errorf("%d telemetry messages, want 3", got)
			}
		})
	}
}

// boot registers the toaster and connects it to the hub that it is told.
func (n *nodeProcess) boot(t *testing.T, transport string) {
	t.Helper()
	key := groupKey(t).Derive(toaster)
	var state struct{ AssignedHub, DeviceID string }
	n.do(t, "register", n.registering(transport, toaster, key), &state)
	n.do(t, "connect", n.joining(transport, state.AssignedHub, state.DeviceID, key), nil)
}

func (n *nodeProcess) lookAfterTwin(t *testing.T) {
	t.Helper()
	var twin struct{ Desired, Reported json.RawMessage }
	n.do(t, "twin", args{"device": toaster}, &twin)
	if got := `{"desired":` + string(twin.Desired) + `,"reported":` + string(twin.Reported) + `}`; got != toasterTwin {
		t.Errorf("twin = %s\nwant   %s", got, toasterTwin)
	}
	n.do(t, "report", args{"device": toaster, "patch": args{"state": "toasting"}}, nil)
	if kept, _ := n.cloud.Twin(toastersHub, toaster); string(kept.Reported) != `{"state":"toasting"}` {
		t.Errorf("the hub keeps reported %s", kept.Reported)
	}
	if _, err := n.cloud.PatchDesired(toastersHub, toaster, []byte(`{"darknessSetting":"dark"}`)); err != nil {
		t.Fatal(err)
	}
	n.hear(t, toaster, "desired") // the twin as it was, which the SDK tells first
	if got, want := n.hear(t, toaster, "desired"), `{"darknessSetting":"dark","$version":2}`; got != want {
		t.Errorf("the device heard %s, want %s", got, want)
	}
}

// TestMicrosoftsSDKAnswersItsHub calls a method of a device and sends it messages,
// one before it is there and one while it is.
func TestMicrosoftsSDKAnswersItsHub(t *testing.T) {
	for _, transport := range []string{"mqtt", "wss"} {
		t.Run(transport, func(t *testing.T) {
			cloud, _ := sdkCloud(t, nil)
			sdk := startNode(t, cloud)
			sdk.boot(t, transport)
			sdk.answerMethod(t)
			sdk.receiveMessages(t)
			sdk.do(t, "close", args{"device": toaster}, nil)
		})
	}
}

func (n *nodeProcess) answerMethod(t *testing.T) {
	t.Helper()
	n.do(t, "answerMethod", args{"device": toaster, "method": "eject", "status": 207, "payload": args{"slices": 2}}, nil)
	// onDeviceMethod does not say when the hub has the subscription.
	var answer emulator.MethodAnswer
	err := eventually(t, func() (err error) {
		answer, err = n.cloud.CallMethod(t.Context(), toastersHub, toaster, emulator.MethodCall{Name: "eject", Payload: []byte(`{"gently":true}`)})
		return err
	})
	if err != nil || answer.Status != 207 || string(answer.Payload) != `{"slices":2}` {
		t.Errorf("the method answered %d %s: %v", answer.Status, answer.Payload, err)
	}
	if got, want := n.hear(t, toaster, "method"), `{"name":"eject","payload":{"gently":true}}`; got != want {
		t.Errorf("the device heard %s, want %s", got, want)
	}
}

func (n *nodeProcess) receiveMessages(t *testing.T) {
	t.Helper()
	send := func(body string) {
		t.Helper()
		message := emulator.Message{Body: []byte(body), Properties: []provisioning.Property{
			{Name: "$.mid", Value: "message-" + body}, {Name: "from", Value: "Küche & Bad"},
		}}
		if err := n.cloud.SendMessage(toastersHub, toaster, message); err != nil {
			t.Fatal(err)
		}
	}
	check := func(body string) {
		t.Helper()
		want := `{"body":"` + body + `","messageId":"message-` + body + `","properties":{"from":"Küche & Bad"}}`
		if got := n.hear(t, toaster, "message"); got != want {
			t.Errorf("the device heard %s, want %s", got, want)
		}
	}
	send("early")
	n.do(t, "receive", args{"device": toaster}, nil)
	check("early")
	send("late")
	check("late")
}

// eventually tries until it works, for what a client does in its own time.
func eventually(t *testing.T, try func() error) (err error) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

// TestMicrosoftsSDKIsRefusedByAHub tells who is not let in.
func TestMicrosoftsSDKIsRefusedByAHub(t *testing.T) {
	cloud, _ := sdkCloud(t, nil)
	sdk := startNode(t, cloud)
	key := groupKey(t).Derive(toaster)
	sdk.do(t, "register", sdk.registering("mqtt", toaster, key), nil)
	for name, with := range map[string]args{
		"a wrong key":              sdk.joining("mqtt", toastersHub, toaster, provisioning.Key("another key of some length")),
		"a device nobody assigned": sdk.joining("mqtt", toastersHub, heatpump, groupKey(t).Derive(heatpump)),
		"another hub":              sdk.joining("mqtt", heatpumpsHub, toaster, key),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			line := sdk.try(t, "connect", with)
			if line.Error == nil || line.Error.Name != "UnauthorizedError" {
				t.Errorf("the SDK says %+v after %s, want UnauthorizedError", line.Error, time.Since(start))
			}
		})
	}
}
