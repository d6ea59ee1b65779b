package provisioning

import (
	"net/url"
	"strings"
)

// Property is one of a message at a hub. Names of the system's own begin with
// $., such as $.mid; the others are the application's (hub over MQTT).
type Property struct {
	Name, Value string
	// Null has a name and no equals sign; with one, the value is empty.
	Null bool
}

// DeviceboundTopic is where a device hears a message from its back end. $.to
// comes first, as the service writes it.
func DeviceboundTopic(deviceID string, properties []Property) string {
	to := Property{Name: "$.to", Value: "/devices/" + deviceID + "/messages/deviceBound"}
	topic := "devices/" + deviceID + "/messages/devicebound/" + to.encoded()
	for _, p := range properties {
		topic += "&" + p.encoded()
	}
	return topic
}

// encoded is the property as topics have it. A space is %20: a plus sign means a
// space to forms only.
func (p Property) encoded() string {
	name := escaped(p.Name)
	if p.Null {
		return name
	}
	return name + "=" + escaped(p.Value)
}

func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// AddProperty adds one to properties that are encoded already.
func AddProperty(properties, name, value string) string {
	// Topics may end in a slash, which is part of them (hub over MQTT).
	properties = strings.TrimSuffix(properties, "/")
	if properties != "" {
		properties += "&"
	}
	return properties + Property{Name: name, Value: value}.encoded()
}

// ParseProperties reads what stands behind a telemetry topic. What is not
// URL-encoded stays as it is.
func ParseProperties(encoded string) []Property {
	encoded = strings.TrimSuffix(strings.TrimPrefix(encoded, "?"), "/")
	if encoded == "" {
		return nil
	}
	var all []Property
	for field := range strings.SplitSeq(encoded, "&") {
		name, value, found := strings.Cut(field, "=")
		all = append(all, Property{Name: decoded(name), Value: decoded(value), Null: !found})
	}
	return all
}

func decoded(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
