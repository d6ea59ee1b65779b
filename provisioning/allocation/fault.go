package allocation

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// Instead stands in front of next, nil being the default transport, and answers
// a call itself where status, asked with the device's registration id, is not 0.
// It is how a webhook is made to fail on purpose: whoever calls one through a
// Client, the emulator or a test, breaks it in the same way.
func Instead(next http.RoundTripper, status func(registrationID string) int) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return instead{next, status}
}

type instead struct {
	next   http.RoundTripper
	status func(registrationID string) int
}

func (t instead) RoundTrip(req *http.Request) (*http.Response, error) {
	id, _ := req.Context().Value(deviceKey{}).(string)
	status := t.status(id)
	if status == 0 {
		return t.next.RoundTrip(req)
	}
	if req.Body != nil {
		req.Body.Close()
	}
	return &http.Response{
		Status:     http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		Body:    io.NopCloser(strings.NewReader(http.StatusText(status))),
		Request: req,
	}, nil
}

// CloseIdleConnections lets a Client's owner close what next holds open.
func (t instead) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// deviceKey is the context key of the registration id that a call is for, so
// that a transport need not read the body for it.
type deviceKey struct{}

func forDevice(ctx context.Context, req Request) context.Context {
	id := req.DeviceRuntimeContext.RegistrationID
	if id == nil {
		return ctx
	}
	return context.WithValue(ctx, deviceKey{}, *id)
}
