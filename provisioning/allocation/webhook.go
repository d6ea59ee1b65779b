package allocation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"dpsfleet/provisioning"
)

// Webhook is one webhook and the client that calls it. Its URL is read once,
// which counts where it is called thousands of times a second.
type Webhook struct {
	client  *Client
	request http.Request // what is the same in all of them
	shown   string       // the URL, masked
	err     error        // why it cannot be called
	known   answers
}

// At is the webhook at target. One whose URL cannot be called answers every call
// with the reason.
func (c *Client) At(target string) *Webhook {
	w := &Webhook{client: c, shown: provisioning.MaskURL(target)}
	// The errors of net/url quote what they were given, which may hold a key.
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		w.err = errors.New("its URL begins with neither http nor https, or has no host")
		return w
	}
	req, err := http.NewRequest(http.MethodPost, u.String(), http.NoBody)
	if err != nil {
		w.err = errors.New("its URL is not one that can be called")
		return w
	}
	req.Header = c.header()
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host // net/http takes it from nowhere else
	}
	w.request = *req
	return w
}

// header is what every call has. What DPS sends is documented nowhere; ours asks
// for nothing that would have to be unpacked, so that the bound on what is read
// is a bound on memory.
func (c *Client) header() http.Header {
	header := http.Header{
		"Content-Type":    {"application/json; charset=utf-8"},
		"Accept":          {"application/json"},
		"Accept-Encoding": {"identity"},
		"User-Agent":      {cmp.Or(c.UserAgent, "dpsfleet")},
	}
	maps.Copy(header, c.Header)
	return header
}

// call posts body once.
func (w *Webhook) call(ctx context.Context, body []byte) Answer {
	c := w.client
	if err := c.enter(ctx); err != nil {
		return Answer{Err: fmt.Errorf("waiting to call the webhook %s: %w", w.shown, err)}
	}
	defer c.leave()
	at := time.Now()
	ctx, cancel := context.WithDeadline(ctx, at.Add(cmp.Or(c.Timeout, defaultTimeout)))
	defer cancel()
	answer, err := w.post(ctx, body)
	answer.At, answer.Took = at, time.Since(at)
	if err != nil {
		answer.Err = fmt.Errorf("calling the webhook %s: %w", w.shown, bounded(err))
	}
	return answer
}

func (w *Webhook) post(ctx context.Context, body []byte) (Answer, error) {
	if w.err != nil {
		return Answer{}, w.err
	}
	transport := w.client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	req := w.request.WithContext(ctx)
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Answer{}, err
	}
	// Closing what was not read to its end ends the connection, which is what a
	// body without end deserves.
	defer resp.Body.Close()
	limit := cmp.Or(w.client.MaxAnswer, defaultMaxBody)
	text, err := readAll(io.LimitReader(resp.Body, limit+1), resp.ContentLength)
	if err != nil {
		return Answer{}, fmt.Errorf("reading its answer of status %d: %w", resp.StatusCode, err)
	}
	if int64(len(text)) > limit {
		return Answer{Status: resp.StatusCode, Body: text[:limit], Truncated: true}, nil
	}
	return Answer{Status: resp.StatusCode, Body: text}, nil
}

// readAll is io.ReadAll into room that fits what is announced, as far as that is
// to be believed.
func readAll(from io.Reader, announced int64) ([]byte, error) {
	const most = 64 << 10
	buf := bytes.NewBuffer(make([]byte, 0, min(max(announced, 0), most)+bytes.MinRead))
	_, err := buf.ReadFrom(from)
	return buf.Bytes(), err
}
