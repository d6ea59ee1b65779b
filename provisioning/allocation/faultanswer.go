package allocation

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Answering answers in the place of the webhook, which does not hear of the call.
// An empty body is the status's own text.
func Answering(status int, body string) Fault {
	contentType := "application/json; charset=utf-8"
	if body == "" {
		contentType, body = "text/plain; charset=utf-8", http.StatusText(status)
	}
	return func(req *http.Request, _ http.RoundTripper) (*http.Response, error) {
		closeBody(req)
		return &http.Response{
			Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
			StatusCode: status,
			Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header:        http.Header{"Content-Type": {contentType}},
			ContentLength: int64(len(body)),
			Body:          io.NopCloser(strings.NewReader(body)),
			Request:       req,
		}, nil
	}
}

// Answers of status 200 that a function in trouble gives: JSON that breaks off, a
// page instead of JSON, a hub that cannot be linked (RFC 6761 keeps .invalid out
// of use), and none.
const (
	MalformedJSON = `{"iotHubHostName":"contoso-toasters-hub-1098.azure-dev`
	NotJSON       = `<!DOCTYPE html><html><body>Your Functions 4.0 app is up and running</body></html>`
	HubNotLinked  = `{"iotHubHostName":"not-linked.invalid"}`
	EmptyHub      = `{"iotHubHostName":""}`
)

// WithoutKey takes the function key from the call, wherever Azure looks for one:
// the query's code and the header x-functions-key.
func WithoutKey(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	bare := req.Clone(req.Context())
	bare.Header.Del("x-functions-key")
	query := bare.URL.Query()
	query.Del("code")
	bare.URL.RawQuery = query.Encode()
	return next.RoundTrip(bare)
}

// SlowBody lets the webhook answer, and has all of its answer's body but the first
// byte come so much later.
func SlowBody(d time.Duration) Fault {
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		resp.Body = &slowBody{ReadCloser: resp.Body, ctx: req.Context(), wait: d}
		return resp, nil
	}
}

type slowBody struct {
	io.ReadCloser
	ctx  context.Context
	wait time.Duration
	came bool
}

func (b *slowBody) Read(p []byte) (int, error) {
	if !b.came && len(p) > 0 {
		n, err := b.ReadCloser.Read(p[:1])
		b.came = n > 0
		return n, err
	}
	if b.wait > 0 {
		if err := pause(b.ctx, b.wait); err != nil {
			return 0, err
		}
		b.wait = 0
	}
	return b.ReadCloser.Read(p)
}
