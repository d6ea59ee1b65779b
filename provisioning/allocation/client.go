package allocation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"dpsfleet/provisioning"
)

// Client calls webhooks as DPS does. Its zero value is ready; it may be copied,
// for instance to give one allocation a Record of its own, and used from many
// goroutines.
type Client struct {
	// Transport makes the calls; nil is http.DefaultTransport. It is no
	// http.Client because that follows redirects, keeps cookies and answers a
	// bad Location with an error, all of which DPS's outcome table knows nothing
	// of. The limit for an answer's header is the transport's.
	Transport http.RoundTripper
	// Timeout is for one call, from the dial to the end of the body; 0 is 30 s.
	// DPS's own is documented nowhere.
	Timeout time.Duration
	// Retry is when a call is made again; the zero value is DPS's own policy.
	Retry Retry
	// Settings decide what Microsoft left open.
	Settings Settings
	// MaxAnswer is how many bytes of an answer are read; 0 is 1 MiB.
	MaxAnswer int64
	// Slots, if not nil, holds as many calls at once as its capacity. A place is
	// taken for a call only, never while waiting for a retry.
	Slots chan struct{}
	// Record, if not nil, is told of each call of Allocate before the next step
	// is taken. It fills no OperationID: the webhook knows none.
	Record func(provisioning.Exchange)
}

const (
	defaultTimeout = 30 * time.Second
	defaultMaxBody = 1 << 20
)

// Answer is what came of one call.
type Answer struct {
	Status    int    // 0 if no whole answer came, and Err says why
	Body      []byte // cut at Client.MaxAnswer
	Truncated bool   // there was more
	At        time.Time
	Took      time.Duration
	// Err never shows the query of the URL, which holds the function key.
	Err error
}

// Call posts body to target once. Waiting for a slot is not part of the time it
// took; if ctx ends while it waits, no call is made and At is zero.
func (c *Client) Call(ctx context.Context, target string, body []byte) Answer {
	if err := c.enter(ctx); err != nil {
		return Answer{Err: fmt.Errorf("waiting to call the webhook %s: %w", provisioning.MaskURL(target), err)}
	}
	defer c.leave()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, defaultTimeout))
	defer cancel()
	at := time.Now()
	answer, err := c.post(ctx, target, body)
	answer.At, answer.Took = at, time.Since(at)
	if err != nil {
		answer.Err = fmt.Errorf("calling the webhook %s: %w", provisioning.MaskURL(target), bounded(err))
	}
	return answer
}

func (c *Client) enter(ctx context.Context) error {
	if ctx.Err() != nil || c.Slots == nil {
		return ctx.Err()
	}
	select {
	case c.Slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) leave() {
	if c.Slots != nil {
		<-c.Slots
	}
}

func (c *Client) post(ctx context.Context, target string, body []byte) (Answer, error) {
	req, err := newPost(ctx, target, body)
	if err != nil {
		return Answer{}, err
	}
	transport := c.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Answer{}, err
	}
	// Closing what was not read to its end ends the connection, which is what a
	// body without end deserves.
	defer resp.Body.Close()
	limit := cmp.Or(c.MaxAnswer, defaultMaxBody)
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return Answer{}, fmt.Errorf("reading its answer of status %d: %w", resp.StatusCode, err)
	}
	if int64(len(text)) > limit {
		return Answer{Status: resp.StatusCode, Body: text[:limit], Truncated: true}, nil
	}
	return Answer{Status: resp.StatusCode, Body: text}, nil
}

// newPost is the request. What DPS sends as headers is documented nowhere; ours
// ask for nothing that would have to be unpacked, so that the bound on what is
// read is a bound on memory.
func newPost(ctx context.Context, target string, body []byte) (*http.Request, error) {
	// The errors of net/url quote what they were given, which may hold a key.
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("its URL begins with neither http nor https, or has no host")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its URL is not one that can be called")
	}
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "dpsfleet")
	return req, nil
}

// bounded keeps a short error as it is and cuts a long one: net/http quotes a
// malformed answer whole.
func bounded(err error) error {
	const most = 512
	if text := err.Error(); len(text) > most {
		return errors.New(text[:most] + "...")
	}
	return err
}
