package provisioning_test

import (
	"reflect"
	"testing"
	"time"

	"dpsfleet/provisioning"
)

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

func TestRequestTopics(t *testing.T) {
	for topic, want := range map[string]provisioning.Request{
		"$dps/registrations/PUT/iotdps-register/?$rid=1":                                    {RequestID: "1"},
		"$dps/registrations/PUT/iotdps-register/?$rid=f4a1d1e0-3b0c-4c5e-9d57-1b6f6a1f4b11": {RequestID: "f4a1d1e0-3b0c-4c5e-9d57-1b6f6a1f4b11"},
		"$dps/registrations/PUT/iotdps-register/?$rid=a%20b":                                {RequestID: "a%20b"},
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=4.2f792ade0a5c3e68.a-b": {
			RequestID: "2", OperationID: "4.2f792ade0a5c3e68.a-b", Poll: true,
		},
	} {
		got, err := provisioning.ParseRequest(topic)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
		if got := want.String(); got != topic {
			t.Errorf("%s, want %s", got, topic)
		}
	}
}

func TestOtherTopicsAreNotDPSs(t *testing.T) {
	for _, topic := range []string{
		"", "$dps/", "telemetry",
		"$dps/registrations/PUT/iotdps-register/",
		"$dps/registrations/PUT/iotdps-register/?$rid=",
		"$dps/registrations/PUT/iotdps-register/?$rid=&x=1",
		"$dps/registrations/put/iotdps-register/?$rid=1",
		"$dps/registrations/GET/iotdps-register/?$rid=1",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=&operationId=x",
		"$dps/registrations/GET/iotdps-get-operationstatus/?operationId=x&$rid=1",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationid=x",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=x&y=z",
		"$dps/registrations/res/202/?$rid=1",
		"$iothub/twin/GET/?$rid=1",
	} {
		if got, err := provisioning.ParseRequest(topic); err == nil {
			t.Errorf("%q was taken as %+v", topic, got)
		}
	}
}

func TestAnswerTopicsHaveTheOrderThatParsersNeed(t *testing.T) {
	for topic, answer := range map[string]provisioning.Answer{
		"$dps/registrations/res/202/?$rid=1&retry-after=3": {Status: 202, RequestID: "1", RetryAfter: seconds(3)},
		"$dps/registrations/res/429/?$rid=1&retry-after=0": {Status: 429, RequestID: "1", RetryAfter: seconds(0)},
		"$dps/registrations/res/200/?$rid=a%20b":           {Status: 200, RequestID: "a%20b"},
		"$dps/registrations/res/401/?$rid=1":               {Status: 401, RequestID: "1"},
	} {
		if got := answer.String(); got != topic {
			t.Errorf("%s, want %s", got, topic)
		}
		got, err := provisioning.ParseAnswer(topic)
		if err != nil || !reflect.DeepEqual(got, answer) {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
}

func TestAnswerTopicsOfOthersAreRead(t *testing.T) {
	for topic, want := range map[string]provisioning.Answer{
		"$dps/registrations/res/429/?$rid=1&Retry-After=7":   {Status: 429, RequestID: "1", RetryAfter: seconds(7)},
		"$dps/registrations/res/202/?retry-after=3&$rid=1":   {Status: 202, RequestID: "1", RetryAfter: seconds(3)},
		"$dps/registrations/res/202/?$rid=1&retry-after=300": {Status: 202, RequestID: "1", RetryAfter: seconds(300)},
		// The C SDK takes these as absent.
		"$dps/registrations/res/202/?$rid=1&retry-after=301": {Status: 202, RequestID: "1"},
		"$dps/registrations/res/202/?$rid=1&retry-after=-1":  {Status: 202, RequestID: "1"},
		"$dps/registrations/res/202/?$rid=1&retry-after=":    {Status: 202, RequestID: "1"},
		"$dps/registrations/res/202/?$rid=1&retry-after=3s":  {Status: 202, RequestID: "1"},
		"$dps/registrations/res/202/?$rid=1&later=maybe":     {Status: 202, RequestID: "1"},
	} {
		got, err := provisioning.ParseAnswer(topic)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
}

func TestOtherTopicsAreNoAnswers(t *testing.T) {
	for _, topic := range []string{
		"", "$dps/registrations/202/?$rid=1", "$dps/registrations/res/", "$dps/registrations/res/202", "$dps/registrations/res/202/?",
		"$dps/registrations/res/202/?$rid=", "$dps/registrations/res/ok/?$rid=1", "$dps/registrations/res/20/?$rid=1", "$dps/registrations/res/2000/?$rid=1",
		"$dps/registrations/res/202?$rid=1", "$dps/registrations/PUT/iotdps-register/?$rid=1",
	} {
		if got, err := provisioning.ParseAnswer(topic); err == nil {
			t.Errorf("%q was taken as %+v", topic, got)
		}
	}
}

func TestHubRequestTopics(t *testing.T) {
	for topic, want := range map[string]provisioning.HubRequest{
		provisioning.TwinGetTopic("1"):           {Op: provisioning.TwinGet, RequestID: "1"},
		provisioning.ReportedTopic("a%20b"):      {Op: provisioning.ReportedPatch, RequestID: "a%20b"},
		provisioning.MethodAnswerTopic(200, "1"): {Op: provisioning.MethodAnswer, RequestID: "1", Status: 200},
		provisioning.TelemetryTopic("dev1", ""):  {Op: provisioning.Telemetry},
		provisioning.TelemetryTopic("dev1", "application/json"): {
			Op: provisioning.Telemetry, Properties: "%24.ct=application%2Fjson&%24.ce=utf-8",
		},
		"$iothub/twin/GET/?$rid=1":                        {Op: provisioning.TwinGet, RequestID: "1"},
		"$iothub/twin/PATCH/properties/reported/?$rid=2":  {Op: provisioning.ReportedPatch, RequestID: "2"},
		"$iothub/methods/res/404/?$rid=3":                 {Op: provisioning.MethodAnswer, RequestID: "3", Status: 404},
		"devices/dev1/messages/events/":                   {Op: provisioning.Telemetry},
		"devices/dev1/messages/events/alert=true&%24.mid": {Op: provisioning.Telemetry, Properties: "alert=true&%24.mid"},
	} {
		if got, err := provisioning.ParseHubRequest(topic, "dev1"); err != nil || got != want {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
	for _, topic := range []string{
		"", "devices/dev2/messages/events/", "devices/dev1/messages/events", "devices/dev1/messages/devicebound/", "$iothub/twin/GET/?$rid=",
		"$iothub/twin/PATCH/properties/desired/?$rid=1", "$iothub/twin/PATCH/properties/reported/?$rid=", "$iothub/methods/res/ok/?$rid=1",
		"$iothub/methods/res/200/?$rid=", "$iothub/methods/res/200", "$dps/registrations/PUT/iotdps-register/?$rid=1",
	} {
		if got, err := provisioning.ParseHubRequest(topic, "dev1"); err == nil {
			t.Errorf("%q was taken as %+v", topic, got)
		}
	}
}

func TestHubAnswerTopics(t *testing.T) {
	for topic, want := range map[string]provisioning.TwinAnswer{
		"$iothub/twin/res/200/?$rid=1":            {Status: 200, RequestID: "1"},
		"$iothub/twin/res/204/?$rid=2&$version=3": {Status: 204, RequestID: "2", Version: 3},
		"$iothub/twin/res/429/?$rid=a%26b":        {Status: 429, RequestID: "a%26b"},
	} {
		if got := want.String(); got != topic {
			t.Errorf("%s, want %s", got, topic)
		}
		if got, err := provisioning.ParseTwinAnswer(topic); err != nil || got != want {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
	for _, topic := range []string{"", "$iothub/twin/res/", "$iothub/twin/res/200", "$iothub/twin/res/ok/?$rid=1", "$iothub/twin/res/-200/?$rid=1", "$iothub/twin/res/200/?$version=1"} {
		if got, err := provisioning.ParseTwinAnswer(topic); err == nil {
			t.Errorf("%q was taken as %+v", topic, got)
		}
	}
}

func TestTopicsThatAHubSends(t *testing.T) {
	for got, want := range map[string]string{
		provisioning.DesiredTopic(4):              "$iothub/twin/PATCH/properties/desired/?$version=4",
		provisioning.MethodTopic("reboot", "1"):   "$iothub/methods/POST/reboot/?$rid=1",
		provisioning.DeviceboundFilter("dev1"):    "devices/dev1/messages/devicebound/#",
		provisioning.AnswerFilter:                 "$dps/registrations/res/#",
		provisioning.Request{Poll: true}.String(): "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=&operationId=",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if !provisioning.IsDesired(provisioning.DesiredTopic(1)) || provisioning.IsDesired("$iothub/twin/res/200/?$rid=1") {
		t.Error("a change of desired properties is not told from an answer")
	}
	// The captured name of a method of a plug and play component.
	name, rid, ok := provisioning.ParseMethod("$iothub/methods/POST/thermostat1*getMaxMinReport/?$rid=1")
	if name != "thermostat1*getMaxMinReport" || rid != "1" || !ok {
		t.Errorf("%q, %q, %t", name, rid, ok)
	}
	for _, topic := range []string{"", "$iothub/methods/POST/reboot", "$iothub/methods/res/200/?$rid=1"} {
		if _, _, ok := provisioning.ParseMethod(topic); ok {
			t.Errorf("%q was taken as a call", topic)
		}
	}
}
