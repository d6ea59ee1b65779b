package emulator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

const (
	registerTopic = "$dps/registrations/PUT/iotdps-register/?$rid=1"
	answerFilter  = "$dps/registrations/res/#"
)

// TestRefusedConnections are the CONNACK codes that the live service was seen to
// send.
func TestRefusedConnections(t *testing.T) {
	wrongKey := "SharedAccessSignature sr=x&sig=AAAA&se=4102444800"
	tests := []struct {
		name           string
		clientID, user string
		password       string
		level          byte
		settings       emulator.Undocumented
		code           byte
	}{
		{name: "unknown id scope", clientID: toaster, user: "0neFFFFFFFF/registrations/" + toaster + "/api-version=2019-03-31", code: 3},
		{name: "client id is not the registration id", clientID: heatpump, user: userName(toaster), code: 5},
		{name: "no user name that means anything", clientID: toaster, user: "toaster", code: 4},
		{name: "a hub that is not linked", clientID: toaster, user: "elsewhere.azure-devices.net/" + toaster + "/?api-version=2021-04-12", code: 5},
		{name: "MQTT 5", clientID: toaster, user: userName(toaster), level: 5, code: 1},
		{name: "bad credentials are let in", clientID: toaster, user: userName(toaster), password: wrongKey, code: 0},
		{name: "unless set otherwise", clientID: toaster, user: userName(toaster), password: wrongKey, settings: emulator.Undocumented{RefuseAtConnect: true}, code: 5},
		{name: "hub: unknown device", clientID: toaster, user: toastersHub + "/" + toaster + "/?api-version=2021-04-12", password: wrongKey, code: 5},
		{name: "hub: client id is not the device id", clientID: heatpump, user: toastersHub + "/" + toaster + "/?api-version=2021-04-12", code: 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := contoso(t)
				cfg.Undocumented = test.settings
				w := startIn(t, cfg)
				defer w.close()
				c := w.wire()
				defer c.nc.Close()
				p := connectPacket(test.clientID, test.user, test.password)
				if test.level != 0 {
					p.ProtocolVersion = test.level
				}
				if code := c.connect(p); code != test.code {
					t.Errorf("CONNACK %d, want %d", code, test.code)
				}
				if test.code != 0 {
					c.closed()
				}
			})
		})
	}
}

// TestRefusedRegistrations are those that are answered with an error document.
func TestRefusedRegistrations(t *testing.T) {
	expired := func(t *testing.T) string {
		return token(deviceKeyOf(t, toaster), scope+"/registrations/"+toaster, -time.Second)
	}
	tests := []struct {
		name     string
		id       string
		password func(t *testing.T) string
		topic    string
		body     string
		want     string // topic and code
	}{
		{name: "signed with another key", password: func(*testing.T) string {
			return token(provisioning.Key("another key of some length"), scope+"/registrations/"+toaster, time.Hour)
		}, want: "401 401000 Unauthorized"},
		{name: "no password", password: func(*testing.T) string { return "" }, want: "401 401000 Unauthorized"},
		{name: "token expired", password: expired, want: "401 401000 Unauthorized"},
		{name: "token for another device", password: func(t *testing.T) string {
			return token(deviceKeyOf(t, toaster), scope+"/registrations/"+heatpump, time.Hour)
		}, want: "401 401000 Unauthorized"},
		{name: "token of another policy", password: func(t *testing.T) string {
			return provisioning.SignToken(deviceKeyOf(t, toaster), scope+"/registrations/"+toaster, time.Now().Add(time.Hour), "provisioningserviceowner")
		}, want: "401 401000 Unauthorized"},
		{name: "the id in another case has another key", id: strings.ToUpper(toaster), password: func(t *testing.T) string {
			return token(deviceKeyOf(t, toaster), scope+"/registrations/"+toaster, time.Hour)
		}, want: "401 401000 Unauthorized"},
		{name: "illegal registration id", id: "toaster#1", want: "400 400004 Invalid RegistrationId"},
		{name: "body is not JSON", body: "{", want: "400 400004 BadRequest"},
		{name: "body names another device", body: `{"registrationId":"` + heatpump + `"}`, want: "400 400004 BadRequest"},
		{name: "unknown operation", topic: "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=5.ae17b01c7d4d7ebf.0ea5b739-2621-4a83-8c26-12d7f8893c70", want: "404 404203 Operation not found."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, contoso(t))
				defer w.close()
				if test.id == "" {
					test.id = toaster
				}
				password := goodToken(t, test.id)
				if test.password != nil {
					password = test.password(t)
				}
				topic := registerTopic
				if test.topic != "" {
					topic = test.topic
				}
				c := w.wire()
				defer c.nc.Close()
				if code := c.connect(connectPacket(test.id, userName(test.id), password)); code != 0 {
					t.Fatalf("CONNACK %d; the service lets such devices in", code)
				}
				c.subscribe(1, answerFilter)
				checkRefusal(t, c.ask(1, topic, test.body), test.want)
				if refused := w.cloud.Totals().Refused; refused != 1 {
					t.Errorf("%d refused, want 1", refused)
				}
			})
		})
	}
}

func checkRefusal(t *testing.T, answer *packets.PublishPacket, want string) {
	t.Helper()
	status, rest, _ := strings.Cut(want, " ")
	code, message, _ := strings.Cut(rest, " ")
	if topic := "$dps/registrations/res/" + status + "/?$rid=1"; answer.TopicName != topic {
		t.Errorf("answered on %q, want %q", answer.TopicName, topic)
	}
	var body struct {
		ErrorCode                         json.Number
		TrackingID, Message, TimestampUtc string
	}
	if err := json.Unmarshal(answer.Payload, &body); err != nil {
		t.Fatalf("%s: %v", answer.Payload, err)
	}
	if body.ErrorCode.String() != code || body.Message != message || len(body.TrackingID) != 36 || body.TimestampUtc == "" {
		t.Errorf("answered %s, want %s", answer.Payload, want)
	}
}

func TestSomebodyElsesOperationIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		first, second := w.device(toaster), w.device(heatpump)
		defer first.nc.Close()
		defer second.nc.Close()
		id := first.register(t)
		second.register(t)
		checkRefusal(t, second.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId="+id, ""), "404 404203 Operation not found.")
	})
}

// device is a wire that is connected and subscribed.
func (w *world) device(id string) *wire {
	w.t.Helper()
	c := w.wire()
	if code := c.connect(connectPacket(id, userName(id), goodToken(w.t, id))); code != 0 {
		w.t.Fatalf("CONNACK %d", code)
	}
	c.subscribe(1, answerFilter)
	return c
}

// register returns the operation id.
func (c *wire) register(t testing.TB) string {
	t.Helper()
	var op operation
	answer := c.ask(1, registerTopic, "")
	if err := json.Unmarshal(answer.Payload, &op); err != nil || op.Status != "assigning" {
		t.Fatalf("answered %s: %v", answer.Payload, err)
	}
	return op.OperationID
}

// verdict polls every three seconds until there is one, and counts the polls
// before.
func (c *wire) verdict(t testing.TB, operationID string) (last operation, pending int) {
	t.Helper()
	for {
		time.Sleep(3 * time.Second)
		last = operation{}
		answer := c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId="+operationID, "")
		if err := json.Unmarshal(answer.Payload, &last); err != nil {
			t.Fatal(err)
		}
		if last.Status != "assigning" {
			return last, pending
		}
		pending++
	}
}
