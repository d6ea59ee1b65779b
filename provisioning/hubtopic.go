package provisioning

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// Filters that a device may subscribe to at its hub (hub over MQTT); the fourth,
// for cloud-to-device messages, names the device.
const (
	TwinAnswerFilter = "$iothub/twin/res/#"
	DesiredFilter    = "$iothub/twin/PATCH/properties/desired/#"
	MethodFilter     = "$iothub/methods/POST/#"
)

const (
	twinGetTopic      = "$iothub/twin/GET/?$rid="
	reportedTopic     = "$iothub/twin/PATCH/properties/reported/?$rid="
	twinAnswerTopic   = "$iothub/twin/res/"
	desiredTopic      = "$iothub/twin/PATCH/properties/desired/?$version="
	methodTopic       = "$iothub/methods/POST/"
	methodAnswerTopic = "$iothub/methods/res/"
)

// DeviceboundFilter is the subscription to a device's cloud-to-device messages.
func DeviceboundFilter(deviceID string) string {
	return "devices/" + deviceID + "/messages/devicebound/#"
}

// TelemetryTopic is where a device publishes telemetry. A content type goes into
// the topic as the system property $.ct, URL-encoded as SDKs write it.
func TelemetryTopic(deviceID, contentType string) string {
	topic := telemetryPrefix(deviceID)
	if contentType != "" {
		topic += "%24.ct=" + url.QueryEscape(contentType) + "&%24.ce=utf-8"
	}
	return topic
}

func telemetryPrefix(deviceID string) string { return "devices/" + deviceID + "/messages/events/" }

// HubOp is what a device asks of its hub.
type HubOp int

// What a device publishes at its hub.
const (
	TwinGet HubOp = iota
	ReportedPatch
	MethodAnswer
	Telemetry
)

// HubRequest is the topic on which a device asks its hub.
type HubRequest struct {
	Op HubOp
	// RequestID is $rid as it was written. Telemetry has none.
	RequestID string
	// Status is a method answer's.
	Status int
	// Properties is the rest of a telemetry topic, encoded as it came.
	Properties string
}

// TwinGetTopic and ReportedTopic ask for the twin and patch its reported
// properties.
func TwinGetTopic(requestID string) string  { return twinGetTopic + requestID }
func ReportedTopic(requestID string) string { return reportedTopic + requestID }

// MethodAnswerTopic answers a direct method call.
func MethodAnswerTopic(status int, requestID string) string {
	return methodAnswerTopic + strconv.Itoa(status) + "/?$rid=" + requestID
}

// ParseHubRequest reads the topic of a PUBLISH from deviceID to its hub.
func ParseHubRequest(topic, deviceID string) (HubRequest, error) {
	if properties, ok := strings.CutPrefix(topic, telemetryPrefix(deviceID)); ok {
		return HubRequest{Op: Telemetry, Properties: properties}, nil
	}
	if rid, ok := strings.CutPrefix(topic, twinGetTopic); ok && rid != "" {
		return HubRequest{Op: TwinGet, RequestID: rid}, nil
	}
	if rid, ok := strings.CutPrefix(topic, reportedTopic); ok && rid != "" {
		return HubRequest{Op: ReportedPatch, RequestID: rid}, nil
	}
	if rest, ok := strings.CutPrefix(topic, methodAnswerTopic); ok {
		code, rid, ok := strings.Cut(rest, "/?$rid=")
		status, err := strconv.Atoi(code)
		if ok && err == nil && rid != "" {
			return HubRequest{Op: MethodAnswer, RequestID: rid, Status: status}, nil
		}
	}
	return HubRequest{}, errors.New("not a topic of an IoT hub")
}

// TwinAnswer is the topic on which a hub answers a twin request.
type TwinAnswer struct {
	Status    int
	RequestID string
	// Version is the new reported $version, after a patch only.
	Version int64
}

// String is the topic, with $rid first, as the C SDK's parser needs it.
func (a TwinAnswer) String() string {
	topic := twinAnswerTopic + strconv.Itoa(a.Status) + "/?$rid=" + a.RequestID
	if a.Version > 0 {
		topic += "&$version=" + strconv.FormatInt(a.Version, 10)
	}
	return topic
}

// ParseTwinAnswer reads the topic of a hub's answer to a twin request.
func ParseTwinAnswer(topic string) (TwinAnswer, error) {
	rest, ok := strings.CutPrefix(topic, twinAnswerTopic)
	code, query, found := strings.Cut(rest, "/?")
	status, err := strconv.Atoi(code)
	if !ok || !found || err != nil || status < 100 || status > 599 {
		return TwinAnswer{}, errors.New("not an answer of a twin")
	}
	answer := TwinAnswer{Status: status}
	for field := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "$rid":
			answer.RequestID = value
		case "$version":
			version, _ := strconv.ParseInt(value, 10, 64)
			answer.Version = max(0, version)
		}
	}
	if answer.RequestID == "" {
		return TwinAnswer{}, errors.New("the twin's answer has no $rid")
	}
	return answer, nil
}

// DesiredTopic tells a device that its desired properties are now at version.
func DesiredTopic(version int64) string { return desiredTopic + strconv.FormatInt(version, 10) }

// IsDesired reports whether a hub's message is a change of desired properties.
func IsDesired(topic string) bool { return strings.HasPrefix(topic, desiredTopic) }

// MethodTopic calls a direct method.
func MethodTopic(name, requestID string) string {
	return methodTopic + name + "/?$rid=" + requestID
}

// ParseMethod reads the topic of a direct method call.
func ParseMethod(topic string) (name, requestID string, ok bool) {
	rest, ok := strings.CutPrefix(topic, methodTopic)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/?$rid=")
}
