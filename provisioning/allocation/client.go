package allocation

import (
	"context"
	"errors"
	"net/http"
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
	// UserAgent and Header go with every call; what DPS sends there is documented
	// nowhere. An empty UserAgent is dpsfleet.
	UserAgent string
	Header    http.Header
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
	return c.At(target).call(ctx, body)
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

// bounded keeps a short error as it is and cuts a long one: net/http quotes a
// malformed answer whole.
func bounded(err error) error {
	const most = 512
	if text := err.Error(); len(text) > most {
		return errors.New(text[:most] + "...")
	}
	return err
}
