package emulator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// sdk is how one of Microsoft's SDKs registers, from their sources.
type sdk struct {
	name           string
	user           string // after the registration id
	token          string // %[1]s is sr, %[2]s sig, %[3]d se
	sr             string // %[1]s is the scope, %[2]s the id
	clean          bool
	keepAlive      uint16
	qos, subscribe byte
	register, poll string
	rid            string
	wantPayload    string // that the webhook gets
}

func sdks() []sdk {
	const byID = `{"registrationId":"` + toaster + `"}`
	return []sdk{
		{name: "C", user: "api-version=2021-06-01&ClientVersion=1.15.0", token: "sr=%[1]s&sig=%[2]s&se=%[3]d&skn=registration",
			sr: "%s%%2fregistrations%%2f%s", clean: true, subscribe: 1, register: byID, poll: byID, rid: "1"},
		{name: "Node", user: "api-version=2019-03-31&ClientVersion=azure-iot-provisioning-device%2F1.9.1", token: "sr=%[1]s&sig=%[2]s&skn=registration&se=%[3]d",
			sr: "%s/registrations/%s", clean: true, keepAlive: 180, qos: 1, subscribe: 1, register: byID, poll: " ", rid: "0ea5b739-2621-4a83-8c26-12d7f8893c70"},
		{name: "Python", user: "api-version=2019-03-31&ClientVersion=azure-iot-device-provisioning-py%2F2.14.0%28x%29", token: "sr=%[1]s&sig=%[2]s&se=%[3]d",
			sr: "%s%%2Fregistrations%%2F%s", keepAlive: 60, qos: 1, subscribe: 1,
			register: `{"payload": null, "registrationId": "` + toaster + `"}`, poll: " ", rid: "7d4d7ebf-2621-4a83-8c26-12d7f8893c70"},
		{name: "C#", user: "api-version=2019-03-31&ClientVersion=.NET%2F1.19", token: "sr=%[1]s&sig=%[2]s&se=%[3]d&skn=registration",
			sr: "%s%%2Fregistrations%%2F%s", clean: true, qos: 1, subscribe: 1, register: `{"payload":{"a": 1}}`, rid: "2", wantPayload: `{"a": 1}`},
		{name: "C# without a payload", user: "api-version=2019-03-31", token: "sr=%[1]s&sig=%[2]s&se=%[3]d&skn=registration",
			sr: "%s%%2Fregistrations%%2F%s", clean: true, qos: 1, subscribe: 1, rid: "2"},
		{name: "Java", user: "api-version=2019-03-31&ClientVersion=2019-03-31", token: "sr=%[1]s&sig=%[2]s&se=%[3]d&skn=",
			sr: "%s/registrations/%s", keepAlive: 230, subscribe: 1, register: `{"registrationId":"` + toaster + `","payload":"{\"a\":1}"}`, rid: "1", wantPayload: `"{\"a\":1}"`},
		{name: "FreeRTOS", user: "api-version=2019-03-31", token: "sr=%[1]s&sig=%[2]s&se=%[3]d",
			sr: "%s%%2fregistrations%%2f%s", clean: true, keepAlive: 240, register: `{"payload":{"modelId":"dtmi:a;1"}}`, rid: "1", wantPayload: `{"modelId":"dtmi:a;1"}`},
	}
}

func TestEverySDKIsUnderstood(t *testing.T) {
	for _, sdk := range sdks() {
		t.Run(sdk.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, contoso(t))
				defer w.close()
				c := w.wire()
				defer c.nc.Close()
				sdk.boot(t, c)
				asked := string(w.recorded("allocate")[0].Asked)
				if sdk.wantPayload == "" && strings.Contains(asked, `"payload"`) {
					t.Errorf("the webhook got a payload: %s", asked)
				}
				contains(t, "the webhook's request", asked, sdk.wantPayload)
			})
		})
	}
}

func (s sdk) boot(t *testing.T, c *wire) {
	t.Helper()
	sr, expiry := fmt.Sprintf(s.sr, scope, toaster), time.Now().Add(time.Hour).Unix()
	signature := sas(deviceKeyOf(t, toaster), sr, expiry)
	hello := connectPacket(toaster, scope+"/registrations/"+toaster+"/"+s.user, "SharedAccessSignature "+fmt.Sprintf(s.token, sr, signature, expiry))
	hello.CleanSession, hello.Keepalive = s.clean, s.keepAlive
	if code := c.connect(hello); code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	if granted := c.subscribe(s.subscribe, "$dps/registrations/res/#"); granted != s.subscribe {
		t.Errorf("granted QoS %d, want %d", granted, s.subscribe)
	}
	answer := c.ask(s.qos, "$dps/registrations/PUT/iotdps-register/?$rid="+s.rid, s.register)
	if want := "$dps/registrations/res/202/?$rid=" + s.rid + "&retry-after=3"; answer.TopicName != want {
		t.Fatalf("answered on %q with %s, want %q", answer.TopicName, answer.Payload, want)
	}
	if answer.Qos != s.subscribe {
		t.Errorf("answered at QoS %d, want the granted %d", answer.Qos, s.subscribe)
	}
	var op operation
	if err := json.Unmarshal(answer.Payload, &op); err != nil {
		t.Fatal(err)
	}
	time.Sleep(6 * time.Second)
	answer = c.ask(s.qos, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid="+s.rid+"&operationId="+op.OperationID, s.poll)
	if want := "$dps/registrations/res/200/?$rid=" + s.rid; answer.TopicName != want {
		t.Errorf("answered on %q, want %q", answer.TopicName, want)
	}
	contains(t, "the answer", string(answer.Payload), `"status":"assigned"`)
	c.unsubscribe() // Node and Python do, and wait for the UNSUBACK
	c.send(packets.NewControlPacket(packets.Disconnect))
	c.closed()
}

func (c *wire) unsubscribe() {
	c.t.Helper()
	c.id++
	p := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
	p.MessageID, p.Topics = c.id, []string{answerFilter}
	c.send(p)
	if ack, ok := c.read().(*packets.UnsubackPacket); !ok || ack.MessageID != c.id {
		c.t.Error("no UNSUBACK")
	}
}
