package allocation_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

func TestResponseIsTheTutorials(t *testing.T) {
	r := allocation.Response{
		IoTHubHostName: ptr(toasters),
		InitialTwin:    &provisioning.InitialTwin{Tags: json.RawMessage(`{"deviceType":"toaster"}`)},
	}
	r.InitialTwin.Properties.Desired = json.RawMessage(`{"state":"ready","darknessSetting":"medium"}`)
	golden(t, "toaster.response.json", r.JSON())
}

func TestParseResponseKeepsWhatItWillWrite(t *testing.T) {
	for name, text := range map[string]string{
		"tutorial":      string(read(t, "toaster.response.json")),
		"with payload":  `{"iotHubHostName":"h","payload":{ "b":1, "a":[2 ,3]}}`,
		"tags alone":    `{"iotHubHostName":"h","initialTwin":{"tags":{"z":1,"a":2}}}`,
		"empty twin":    `{"iotHubHostName":"h","initialTwin":{}}`,
		"null hub":      `{"iotHubHostName":null}`,
		"no hub":        `{}`,
		"odd payload":   `{"iotHubHostName":"h","payload":"text"}`,
		"desired alone": `{"iotHubHostName":"h","initialTwin":{"properties":{"desired":{"state":"on"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := allocation.ParseResponse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(r.JSON()); got != text {
				t.Errorf("got %s, want %s", got, text)
			}
		})
	}
}

func TestParseResponseTakesMicrosoftsOtherSpelling(t *testing.T) {
	r, err := allocation.ParseResponse([]byte(`{"iotHubHostname":"h","initialTwin":null,"payload":null}`))
	if err != nil || r.IoTHubHostName == nil || *r.IoTHubHostName != "h" {
		t.Errorf("got %+v, %v", r, err)
	}
	if r.InitialTwin != nil || r.Payload != nil {
		t.Errorf("null is not taken for absent: %+v", r)
	}
}

func TestParseResponseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		``:                                  "not a JSON object",
		`"h"`:                               "not a JSON object",
		`{"iotHubHostName":"h"`:             "not JSON",
		`{"iotHubHostName":7}`:              "iotHubHostName is not a string",
		`{"iotHubHostName":["h`:             "not JSON",
		`{"initialTwin":1}`:                 "initialTwin is not an object",
		`{"initialTwin":"twin"}`:            "initialTwin is not an object",
		`{"initialTwin":{"tags":1}}`:        "initialTwin.tags is not",
		`{"initialTwin":{"properties":[]}}`: "initialTwin.properties is not",
		`{"initialTwin":{"properties":{"desired":1}}}`: "initialTwin.properties.desired is not",
	} {
		_, err := allocation.ParseResponse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", text, err, want)
		}
	}
}
