package allocation

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// Path is where the tutorial's function answers.
const Path = "/api/HttpTrigger1"

// HandlerOptions say what a handler serves. Only Policy is needed.
type HandlerOptions struct {
	Policy Policy
	// FunctionKey is what a caller must know; empty lets everybody in, as the
	// tutorial's authorization level Anonymous does.
	FunctionKey FunctionKey
	// Log gets the function's log as the portal shows it: all lines of a call in
	// one Write, one Write at a time. Nil is no log.
	Log io.Writer
	// Record, if not nil, is told of each POST to Path before its answer leaves.
	// It cannot know the Attempt, which stays 0.
	Record func(provisioning.Exchange)
	// Now and NewID are for tests: the clock, and the id of an execution. Nil is
	// time.Now and a random one.
	Now   func() time.Time
	NewID func() string
	// MaxBody is how many bytes of a request are read; 0 is 1 MiB, ten times
	// what DPS takes from a device.
	MaxBody int64
}

// FunctionKey is the secret of an Azure function, its callers' code. It prints
// and logs masked.
type FunctionKey string

// Format prints the mask, whatever the verb.
func (k FunctionKey) Format(f fmt.State, _ rune) { io.WriteString(f, "****") }

// LogValue logs the mask.
func (k FunctionKey) LogValue() slog.Value { return slog.StringValue("****") }

// MarshalText writes the mask.
func (k FunctionKey) MarshalText() ([]byte, error) { return []byte("****"), nil }

type handler struct {
	HandlerOptions
	// turn keeps the log's Writes apart. It is a channel and no mutex because a
	// synctest bubble stands still while one is held over a Write.
	turn chan struct{}
}

// NewHandler serves a policy as the tutorial's function does: POST to Path.
// Anything else there is 405, and 404 elsewhere. As in the Functions host, a
// call without its key never reaches the function, so it is not in the log.
func NewHandler(opts HandlerOptions) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.NewID == nil {
		opts.NewID = newID
	}
	opts.MaxBody = cmp.Or(opts.MaxBody, defaultMaxBody)
	return &handler{HandlerOptions: opts, turn: make(chan struct{}, 1)}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Routes of the Functions host know no case.
	if !strings.EqualFold(r.URL.Path, Path) {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	start := h.Now()
	x := provisioning.Exchange{Kind: provisioning.ExchangeAllocate, At: start}
	d := h.serve(w, r, &x)
	x.RegistrationID, x.Hub, x.Status, x.Answered = d.RegistrationID, d.Hub, d.Status, d.Body
	x.Took = h.Now().Sub(start)
	if h.Record != nil {
		h.Record(x)
	}
	respond(w, d)
}

// serve is the part that the Functions host does before it runs the function.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, x *provisioning.Exchange) Decision {
	if !h.FunctionKey.opens(r) {
		x.Err = "the function key is missing or wrong"
		return Decision{Status: http.StatusUnauthorized}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.MaxBody))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		x.Err = fmt.Sprintf("the request is longer than %d bytes", tooLong.Limit)
		return Decision{Status: http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		x.Err = "reading the request: " + err.Error()
		return Decision{Status: http.StatusBadRequest}
	}
	x.Asked = body
	return h.run(body, x.At)
}

// opens compares digests, so that neither the time it takes nor a length says
// anything of the key.
func (k FunctionKey) opens(r *http.Request) bool {
	if k == "" {
		return true
	}
	want := sha256.Sum256([]byte(k))
	found := 0
	for _, given := range []string{r.Header.Get("x-functions-key"), r.URL.Query().Get("code")} {
		digest := sha256.Sum256([]byte(given))
		found |= subtle.ConstantTimeCompare(want[:], digest[:])
	}
	return found == 1
}

// respond writes what ASP.NET makes of the tutorial's OkObjectResult and
// BadRequestObjectResult; whatever else there is has no body.
func respond(w http.ResponseWriter, d Decision) {
	switch d.Status {
	case http.StatusOK:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	case http.StatusBadRequest:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(d.Status)
	w.Write(d.Body) // a caller who left does not matter to anybody else
}
