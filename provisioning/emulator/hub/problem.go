package hub

import (
	"fmt"
	"net/http"

	"dpsfleet/provisioning"
)

// Error is a hub's refusal of what a back end asks (IoT Hub error codes).
type Error struct {
	Status int // as in HTTP
	Code   provisioning.Code
	Name   string
	Reason string
}

// Error says the code, its name and why.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", int(e.Code), e.Name, e.Reason) }

func invalid(reason string) *Error {
	return &Error{http.StatusBadRequest, 400004, "ArgumentInvalid", reason}
}

func notFound(deviceID string) *Error {
	return &Error{http.StatusNotFound, 404001, "DeviceNotFound", fmt.Sprintf("the hub has no device %q", deviceID)}
}

func tooLarge(what string, size, most int) *Error {
	return &Error{http.StatusRequestEntityTooLarge, 413001, "MessageTooLarge", fmt.Sprintf("%s has %d bytes; a hub takes %d", what, size, most)}
}

func notOnline() *Error {
	return &Error{http.StatusNotFound, 404103, "DeviceNotOnline", "the device is not online or has not subscribed to direct methods"}
}

func unanswered() *Error {
	return &Error{http.StatusGatewayTimeout, 504101, "GatewayTimeout", "the device did not answer the direct method in time"}
}

func queueFull() *Error {
	return &Error{http.StatusForbidden, 403004, "DeviceMaximumQueueDepthExceeded", fmt.Sprintf("%d messages wait for the device already", maxPending)}
}

func changedMeanwhile() *Error {
	return &Error{http.StatusPreconditionFailed, 412001, "PreconditionFailed", "the etag is not the one that the hub has"}
}
