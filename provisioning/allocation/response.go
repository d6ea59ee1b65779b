package allocation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"dpsfleet/provisioning"
)

// Response is what the webhook answers: AllocationResponse in "custom
// allocation".
type Response struct {
	// IoTHubHostName is nil where the answer says null or nothing.
	IoTHubHostName *string `json:"iotHubHostName"`
	// InitialTwin is nil where the enrollment's own is to be used.
	InitialTwin *provisioning.InitialTwin `json:"initialTwin,omitempty"`
	// Payload is for the device, of any JSON kind, byte for byte.
	Payload json.RawMessage `json:"payload,omitempty"`

	// noHub tells an answer without the member from one with null.
	noHub bool
}

// JSON is the answer as the tutorial's function writes it, properties before
// tags. Twin and payload stay as they are.
func (r Response) JSON() []byte {
	var o provisioning.Object
	switch {
	case r.IoTHubHostName != nil:
		o.Text("iotHubHostName", *r.IoTHubHostName)
	case !r.noHub:
		o.Raw("iotHubHostName", []byte("null"))
	}
	if r.InitialTwin != nil {
		o.Raw("initialTwin", twinJSON(*r.InitialTwin))
	}
	o.Raw("payload", r.Payload)
	return o.Bytes()
}

func twinJSON(twin provisioning.InitialTwin) []byte {
	var o, properties provisioning.Object
	if len(twin.Properties.Desired) > 0 {
		properties.Raw("desired", twin.Properties.Desired)
		o.Raw("properties", properties.Bytes())
	}
	o.Raw("tags", twin.Tags)
	return o.Bytes()
}

// ParseResponse reads an answer. Names are matched without regard to case:
// Microsoft's own tables write iotHubHostname, and .NET does not mind. A null
// member is an absent one. The error says what is not as documented.
func ParseResponse(body []byte) (Response, error) {
	var raw struct {
		Hub     json.RawMessage `json:"iotHubHostName"`
		Twin    json.RawMessage `json:"initialTwin"`
		Payload json.RawMessage `json:"payload"`
	}
	if !isObject(body) {
		return Response{}, errors.New("the webhook's answer is not a JSON object")
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return Response{}, fmt.Errorf("the webhook's answer is not JSON: %w", err)
	}
	r := Response{noHub: raw.Hub == nil, Payload: unlessNull(raw.Payload)}
	if raw.Hub != nil && json.Unmarshal(raw.Hub, &r.IoTHubHostName) != nil {
		return Response{}, errors.New("the webhook's iotHubHostName is not a string")
	}
	var err error
	r.InitialTwin, err = parseTwin(unlessNull(raw.Twin))
	return r, err
}

func parseTwin(text json.RawMessage) (*provisioning.InitialTwin, error) {
	if text == nil {
		return nil, nil
	}
	var raw struct {
		Properties json.RawMessage `json:"properties"`
		Tags       json.RawMessage `json:"tags"`
	}
	var properties struct {
		Desired json.RawMessage `json:"desired"`
	}
	if json.Unmarshal(text, &raw) != nil {
		return nil, errors.New("the webhook's initialTwin is not an object")
	}
	if raw.Properties != nil && json.Unmarshal(raw.Properties, &properties) != nil {
		return nil, errors.New("the webhook's initialTwin.properties is not an object")
	}
	twin := &provisioning.InitialTwin{Tags: unlessNull(raw.Tags)}
	twin.Properties.Desired = unlessNull(properties.Desired)
	if twin.Tags != nil && !isObject(twin.Tags) {
		return nil, errors.New("the webhook's initialTwin.tags is not an object")
	}
	if twin.Properties.Desired != nil && !isObject(twin.Properties.Desired) {
		return nil, errors.New("the webhook's initialTwin.properties.desired is not an object")
	}
	return twin, nil
}

func unlessNull(text json.RawMessage) json.RawMessage {
	if string(text) == "null" {
		return nil
	}
	return text
}

// isObject looks at the first character only; whether the rest is JSON is for a
// decoder to say.
func isObject(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && text[0] == '{'
}
