package hub

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

func (h *Hub) getTwin(r *http.Request) (reply, error) {
	e, known := h.devices.Get(r.PathValue("id"))
	if !known {
		return reply{}, notFound(r.PathValue("id"))
	}
	return reply{status: http.StatusOK, etag: e.twin.ETag(), body: h.twinJSON(e)}, nil
}

// twinJSON is the twin as a back end reads it: unlike its device, with the tags
// and with what the registry knows. $metadata is left out.
func (h *Hub) twinJSON(e entry) []byte {
	var properties, o provisioning.Object
	properties.Raw("desired", withVersion(e.twin.Desired, e.twin.DesiredVersion))
	properties.Raw("reported", withVersion(e.twin.Reported, e.twin.ReportedVersion))
	o.Text("deviceId", e.device.ID)
	o.Text("etag", e.twin.ETag())
	o.Text("deviceEtag", e.device.ETag())
	o.Text("status", status(e.device))
	o.Text("connectionState", h.connectionState(e.device.ID))
	o.Int("cloudToDeviceMessageCount", int64(h.Pending(e.device.ID)))
	o.Text("authenticationType", authentication(e.device))
	o.Int("version", e.twin.Changes+e.twin.ReportedVersion)
	o.Raw("tags", e.twin.Tags)
	o.Raw("properties", properties.Bytes())
	o.Raw("capabilities", []byte(`{"iotEdge":false}`))
	return o.Bytes()
}

// changeTwin merges with PATCH and replaces with PUT. Back ends send a twin back
// as they read it, so $version and $metadata are overlooked.
func (h *Hub) changeTwin(r *http.Request) (reply, error) {
	var asked struct {
		Tags       json.RawMessage `json:"tags"`
		Properties struct {
			Desired json.RawMessage `json:"desired"`
		} `json:"properties"`
	}
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	desired, err := withoutSystem(asked.Properties.Desired)
	if err != nil {
		return reply{}, err
	}
	change := TwinChange{Tags: given(asked.Tags), Desired: desired, Replace: r.Method == http.MethodPut, IfMatch: ifMatch(r)}
	if _, err := h.ChangeTwin(r.PathValue("id"), change); err != nil {
		return reply{}, err
	}
	return h.getTwin(r)
}

// given is a document that is there: a null is none.
func given(document json.RawMessage) json.RawMessage {
	if string(document) == "null" {
		return nil
	}
	return document
}

// withoutSystem is a document without $version and $metadata.
func withoutSystem(document json.RawMessage) (json.RawMessage, error) {
	if document = given(document); document == nil {
		return nil, nil
	}
	all, err := members(document)
	if err != nil {
		return nil, invalid("the desired properties: " + err.Error())
	}
	var o provisioning.Object
	for _, m := range all {
		if m.key != "$version" && m.key != "$metadata" {
			o.Raw(m.key, m.value)
		}
	}
	return o.Bytes(), nil
}

func (h *Hub) callMethod(r *http.Request) (reply, error) {
	var asked struct {
		Name           string          `json:"methodName"`
		Payload        json.RawMessage `json:"payload"`
		Timeout        int             `json:"responseTimeoutInSeconds"`
		ConnectTimeout int             `json:"connectTimeoutInSeconds"`
	}
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	if most := int(longestMethod / time.Second); asked.Timeout > most || asked.ConnectTimeout > most {
		return reply{}, invalid("a time-out is longer than 300 seconds")
	}
	answer, err := h.CallMethod(r.Context(), r.PathValue("id"), MethodCall{
		Name: asked.Name, Payload: asked.Payload,
		Timeout:        time.Duration(asked.Timeout) * time.Second,
		ConnectTimeout: time.Duration(asked.ConnectTimeout) * time.Second,
	})
	if err != nil {
		return reply{}, err
	}
	var o provisioning.Object
	o.Int("status", int64(answer.Status))
	o.Raw("payload", answer.Payload)
	return reply{status: http.StatusOK, body: o.Bytes()}, nil
}

// deviceboundResource is a path of our own: the service takes messages to devices
// over AMQP, which is not emulated.
const deviceboundResource = "/devices/{id}/messages/devicebound"

// The query of that path, ours too: messageId, correlationId and contentType are
// properties of the system's, ttl is a duration such as 90s, and p.NAME is the
// property NAME of the application's. A header would lose the case of a name.
const propertyPrefix = "p."

func (h *Hub) sendMessage(r *http.Request) (reply, error) {
	m, err := readMessage(r)
	if err != nil {
		return reply{}, err
	}
	if err := h.SendMessage(r.PathValue("id"), m); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

func readMessage(r *http.Request) (Message, error) {
	var m Message
	query := r.URL.Query()
	for _, system := range [][2]string{{"messageId", "$.mid"}, {"correlationId", "$.cid"}, {"contentType", "$.ct"}} {
		if query.Has(system[0]) {
			m.Properties = append(m.Properties, provisioning.Property{Name: system[1], Value: query.Get(system[0])})
		}
	}
	// In the order in which they were written, which a map has lost.
	for _, p := range provisioning.ParseProperties(r.URL.RawQuery) {
		if name, ours := strings.CutPrefix(p.Name, propertyPrefix); ours {
			m.Properties = append(m.Properties, provisioning.Property{Name: name, Value: p.Value, Null: p.Null})
		}
	}
	if text := query.Get("ttl"); text != "" {
		life, err := time.ParseDuration(text)
		if err != nil || life <= 0 {
			return Message{}, invalid("ttl is not a duration such as 90s")
		}
		m.TimeToLive = life
	}
	var err error
	m.Body, err = readAll(r)
	return m, err
}
