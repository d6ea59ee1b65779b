package allocation

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// Fault is what becomes of one call of a webhook: it lets next answer, when and
// with what it likes, or answers itself, and then closes the request's body as
// next would. Its waits end with the request's context, and so with the time that
// a call may take.
type Fault func(req *http.Request, next http.RoundTripper) (*http.Response, error)

// Faulty stands in front of next, nil being the default transport, and does what
// pick, asked with the device's registration id, has for the call; nil leaves it
// alone. It is how a webhook is made to fail on purpose: whoever calls one through
// a Client, the emulator or a test, breaks it in the same way. WithDevice tells it
// whom a call is for.
func Faulty(next http.RoundTripper, pick func(registrationID string) Fault) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return faulty{next, pick}
}

type faulty struct {
	next http.RoundTripper
	pick func(registrationID string) Fault
}

func (t faulty) RoundTrip(req *http.Request) (*http.Response, error) {
	id, _ := req.Context().Value(deviceKey{}).(string)
	fault := t.pick(id)
	if fault == nil {
		return t.next.RoundTrip(req)
	}
	return fault(req, t.next)
}

// CloseIdleConnections lets a Client's owner close what next holds open.
func (t faulty) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// deviceKey is the context key of the registration id that a call is for, so
// that a transport need not read the body for it.
type deviceKey struct{}

// WithDevice says in the context of a call whom it is for. Allocate does so
// itself.
func WithDevice(ctx context.Context, registrationID string) context.Context {
	return context.WithValue(ctx, deviceKey{}, registrationID)
}

// Late holds each call back for so long before the webhook gets it.
func Late(d time.Duration) Fault {
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		return after(d, req, next)
	}
}

func after(d time.Duration, req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if err := pause(req.Context(), d); err != nil {
		closeBody(req)
		return nil, err
	}
	return next.RoundTrip(req)
}

// closeBody is a RoundTripper's duty.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// ColdStart is a webhook that nobody has called for a while: its first call wakes
// it, and that one and all that come meanwhile wait until it has started. It is
// cold again when it had nothing to do for idle, never if that is 0. A call that
// does not wait for it does not stop it.
func ColdStart(start, idle time.Duration) Fault {
	w := &warmth{start: start, idle: idle}
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		ready := w.enter(time.Now())
		defer func() { w.leave(time.Now()) }()
		return after(time.Until(ready), req, next)
	}
}

type warmth struct {
	start, idle time.Duration

	mu    sync.Mutex
	ready time.Time // zero before the first call
	last  time.Time // when a call ended
	busy  int
}

// enter is when a call that comes now may be served.
func (w *warmth) enter(now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	cold := w.idle > 0 && w.busy == 0 && now.Sub(w.last) >= w.idle
	if w.ready.IsZero() || cold {
		w.ready = now.Add(w.start)
	}
	w.busy++
	return w.ready
}

func (w *warmth) leave(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.last = now
}

// Unreached fails the call with an error, made anew for each host, as a transport
// gives it that gets no answer: Reset, Refused or NoSuchHost.
func Unreached(why func(host string) error) Fault {
	return func(req *http.Request, _ http.RoundTripper) (*http.Response, error) {
		closeBody(req)
		return nil, why(req.URL.Hostname())
	}
}

// Reset is a connection that the other side broke off (RST) where its answer was
// awaited.
func Reset(string) error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

// Refused is a port on which nobody listens.
func Refused(string) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// NoSuchHost is a name that DNS does not know.
func NoSuchHost(host string) error {
	missing := &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	return &net.OpError{Op: "dial", Net: "tcp", Err: missing}
}
