package emulator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// carriers are the ways to a wire.
func carriers() map[string]func(*world) *wire {
	return map[string]func(*world) *wire{
		"TCP":       (*world).wire,
		"WebSocket": func(w *world) *wire { return w.webSocket("/$iothub/websocket", "mqtt") },
	}
}

// onEach runs a test in a bubble for each transport, with a toaster that is
// connected and subscribed.
func onEach(t *testing.T, cfg emulator.Config, test func(t *testing.T, w *world, c *wire)) {
	for name, open := range carriers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, withFace(cfg))
				defer w.close()
				c := open(w)
				defer c.nc.Close()
				if code := c.connect(connectPacket(toaster, userName(toaster), goodToken(t, toaster))); code != 0 {
					t.Fatalf("CONNACK %d", code)
				}
				c.subscribe(1, answerFilter)
				test(t, w, c)
			})
		})
	}
}

// TestBodiesThatSDKsRegisterWith are taken, whatever QoS they come with, and the
// webhook gets their payload as it came.
func TestBodiesThatSDKsRegisterWith(t *testing.T) {
	tests := map[string]struct{ body, payload string }{
		"nothing":                  {"", ""},
		"a blank":                  {" ", ""},
		"a line break":             {"\r\n", ""},
		"an empty object":          {"{}", ""},
		"a null payload":           {`{"payload":null}`, ""},
		"a string payload":         {`{"payload":"{\"a\": 1}"}`, `"payload":"{\"a\": 1}"`},
		"spaces in a payload":      {`{"payload": {"a" : 1}}`, `"payload":{"a" : 1}`},
		"an array as payload":      {`{"payload":[1]}`, `"payload":[1]`},
		"a CSR of the new SDK":     {`{"csr":"MIIB","payload":{"a":1}}`, `"payload":{"a":1}`},
		"members that nobody asks": {`{"registrationId":"` + toaster + `","x":1}`, ""},
		"the id in capitals":       {`{"registrationId":"` + strings.ToUpper(toaster) + `"}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			onEach(t, contoso(t), func(t *testing.T, w *world, c *wire) {
				for _, qos := range []byte{0, 1} {
					var op operation
					answer := c.ask(qos, registerTopic, test.body)
					if err := json.Unmarshal(answer.Payload, &op); err != nil || op.Status != "assigning" {
						t.Fatalf("at QoS %d answered %s: %v", qos, answer.Payload, err)
					}
					c.verdict(t, op.OperationID)
					calls := w.recorded("allocate")
					asked := string(calls[len(calls)-1].Asked)
					if contains(t, "the webhook's request", asked, test.payload); test.payload == "" && strings.Contains(asked, `"payload"`) {
						t.Errorf("the webhook got a payload: %s", asked)
					}
				}
			})
		})
	}
}

// TestTopicsAreAsParsersNeedThem: $rid comes first and verbatim, there are exactly
// two dollar signs (Python splits at them), and retry-after is a later piece of
// its own (Java).
func TestTopicsAreAsParsersNeedThem(t *testing.T) {
	for _, rid := range []string{"1", "4294967295", "0ea5b739-2621-4a83-8c26-12d7f8893c70", "a%2fb%2Fc", "with space"} {
		onEach(t, contoso(t), func(t *testing.T, _ *world, c *wire) {
			first := c.ask(1, "$dps/registrations/PUT/iotdps-register/?$rid="+rid, "")
			id := jsonOf(t, first.Payload)["operationId"].(string)
			second := c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid="+rid+"&operationId="+id, " ")
			third := c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid="+rid+"&operationId=x", " ")
			for _, answer := range []*packets.PublishPacket{first, second, third} {
				query := strings.SplitN(answer.TopicName, "/?", 2)[1]
				if !strings.HasPrefix(query, "$rid="+rid) || strings.Count(answer.TopicName, "$") != 2 || strings.Contains(query, "&&") {
					t.Errorf("answered on %q to $rid %q", answer.TopicName, rid)
				}
			}
			if want := "$rid=" + rid + "&retry-after=3"; !strings.HasSuffix(second.TopicName, want) {
				t.Errorf("answered on %q, want %q", second.TopicName, want)
			}
		})
	}
}

// TestTheFirstAnswerIsAlwaysAssigning, however fast the service is: the new SDK
// takes nothing else.
func TestTheFirstAnswerIsAlwaysAssigning(t *testing.T) {
	cfg, fast := contoso(t), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(t)}
	onEach(t, cfg, func(t *testing.T, _ *world, c *wire) {
		answer := c.ask(0, registerTopic, "")
		if !strings.HasPrefix(answer.TopicName, "$dps/registrations/res/202/") || jsonOf(t, answer.Payload)["registrationState"] != nil {
			t.Errorf("answered on %q with %s", answer.TopicName, answer.Payload)
		}
	})
}

// TestAnswersAreASCII: Node's SDK decodes them as such.
func TestAnswersAreASCII(t *testing.T) {
	cfg := contoso(t)
	cfg.Enrollments[0].Policy = nil
	cfg.Enrollments[0].CustomAllocation = &provisioning.CustomAllocationDefinition{WebhookURL: "http://127.0.0.1:7071/api", APIVersion: provisioning.AllocationAPIVersion}
	onEach(t, cfg, func(t *testing.T, w *world, c *wire) {
		stop := w.hook("127.0.0.1:7071", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Write([]byte(`{"iotHubHostName":"` + toastersHub + `","payload":{"ort":"Köln","emoji":"🍞"}}`))
		})
		defer stop()
		last, _ := c.verdict(t, c.register(t))
		if got := string(last.State.Payload); got != `{"ort":"K\u00f6ln","emoji":"\ud83c\udf5e"}` {
			t.Errorf("the payload is %s", got)
		}
	})
}
