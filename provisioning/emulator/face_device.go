package emulator

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// deviceAPI is the device API of DPS over HTTPS. It asks the same applicant as
// MQTT does; only how a request comes and how an answer leaves is here.
func (c *Cloud) deviceAPI() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came := time.Now()
		call, found := parseDeviceCall(r.URL)
		switch {
		case !found:
			http.NotFound(w, r)
		case r.Method != call.method:
			w.Header().Set("Allow", call.method)
			http.Error(w, "the method is "+call.method, http.StatusMethodNotAllowed)
		default:
			c.reply(w, r, call, c.serveCall(w, r, call, came))
		}
	})
}

// deviceCall is what a device asks for over HTTPS.
type deviceCall struct {
	method      string
	user        provisioning.DPSUser
	operationID string
}

// parseDeviceCall reads the path. Each segment is decoded by itself: C#'s SDK
// escapes the colon of a registration id, and others do not.
func parseDeviceCall(u *url.URL) (deviceCall, bool) {
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "" {
			return deviceCall{}, false
		}
		segments[i] = decoded
	}
	n := len(segments)
	if n < 3 || !strings.EqualFold(segments[1], "registrations") {
		return deviceCall{}, false
	}
	call := deviceCall{user: provisioning.DPSUser{
		IDScope: segments[0], RegistrationID: segments[2], APIVersion: u.Query().Get("api-version"),
	}}
	switch {
	case n == 3:
		call.method = http.MethodPost
	case n == 4 && strings.EqualFold(segments[3], "register"):
		call.method = http.MethodPut
	case n == 5 && strings.EqualFold(segments[3], "operations"):
		call.method, call.operationID = http.MethodGet, segments[4]
	default:
		return deviceCall{}, false
	}
	return call, true
}

// serveCall decides what is answered. The id scope comes first: over MQTT
// nothing but it is looked at before the connection is refused.
func (c *Cloud) serveCall(w http.ResponseWriter, r *http.Request, call deviceCall, came time.Time) *answer {
	request := provisioning.Request{
		RequestID: c.requestID(r, call, came), Poll: call.method == http.MethodGet, OperationID: call.operationID,
	}
	if call.user.IDScope != c.cfg.IDScope {
		stranger := applicant{cloud: c, who: identity{registrationID: call.user.RegistrationID}}
		return call.recorded(stranger.refusal(request, c.unknownScope()), came)
	}
	device := c.applicantOf(r, call.user)
	body, refused := readBody(w, r)
	if refused != nil {
		return call.recorded(device.refusal(request, refused), came)
	}
	switch call.method {
	case http.MethodPut:
		return device.register(request, body, came)
	case http.MethodGet:
		return device.poll(request, came)
	}
	return call.recorded(device.lookUp(request), came)
}

// recorded is an answer with what the record says of the call.
func (d deviceCall) recorded(a *answer, came time.Time) *answer {
	a.came, a.kind, a.operationID = came, d.kind(), d.operationID
	return a
}

func (d deviceCall) kind() provisioning.ExchangeKind {
	switch d.method {
	case http.MethodPut:
		return provisioning.ExchangeRegister
	case http.MethodGet:
		return provisioning.ExchangePoll
	}
	return provisioning.ExchangeLookUp
}

func (c *Cloud) unknownScope() *provisioning.Error {
	code := c.cfg.Undocumented.UnknownScopeCode
	status := int(code) / 1000
	if status < 400 || status > 599 {
		status = http.StatusNotFound
	}
	return problem(status, code, "The ID scope is unknown.")
}

// applicantOf is who sent a request: the one place where a device's identity over
// HTTPS is found. The token in the header is the one that MQTT has as password,
// and a certificate comes in the TLS handshake either way.
func (c *Cloud) applicantOf(r *http.Request, user provisioning.DPSUser) *applicant {
	var chain []*x509.Certificate
	if r.TLS != nil {
		chain = r.TLS.PeerCertificates
	}
	return &applicant{c, c.identify(user, []byte(r.Header.Get("Authorization")), chain...)}
}

// requestID takes the place of $rid: it is made of the exchange alone.
func (c *Cloud) requestID(r *http.Request, call deviceCall, came time.Time) string {
	return guid(c.draws(call.user.RegistrationID, hash(r.Method+r.URL.Path+came.String())))
}

// readBody takes what DPS takes over MQTT. What the service answers to more is
// documented nowhere; a hub's code for it is.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *provisioning.Error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, provisioning.MaxMessage))
	if err != nil {
		return nil, problem(413, provisioning.MessageTooLarge, fmt.Sprintf("The body is cut short or has more than %d bytes.", provisioning.MaxMessage))
	}
	return body, nil
}

// lookUp tells a device its registration, which only HTTPS can. The quota counts
// it as a registration (device re-provisioning, "Registration status lookup").
func (d *applicant) lookUp(request provisioning.Request) *answer {
	if d.who.doubt != nil {
		return d.refusal(request, d.unauthorized())
	}
	r, known := d.cloud.registrations.Get(provisioning.SameID(d.who.registrationID))
	if !known {
		return d.refusal(request, problem(404, provisioning.DeviceRegistrationNotFound, "Registration not found."))
	}
	if refused := d.cloud.throttled(); refused != nil {
		return d.refusal(request, refused)
	}
	state := r.Operation.state(d.who.registrationID)
	return &answer{
		topic: provisioning.Answer{Status: 200, RequestID: request.RequestID},
		body:  state.JSON(),
		state: state,
	}
}

// reply writes an answer when it is due, with the headers of the live service's
// (DPS over HTTPS), but for Strict-Transport-Security: a browser would keep it
// for everything else on localhost.
func (c *Cloud) reply(w http.ResponseWriter, r *http.Request, call deviceCall, a *answer) {
	if a.lost != "" {
		c.lose(w, r, call.user.RegistrationID, a)
		return
	}
	if !sleepUntil(r.Context(), a.due) {
		c.note(call.user.RegistrationID, a, gone)
		http.Error(w, "the service is going away", http.StatusServiceUnavailable)
		return
	}
	c.note(call.user.RegistrationID, a, "")
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Ms-Request-Id", a.topic.RequestID)
	if a.topic.RetryAfter != nil {
		h.Set("Retry-After", strconv.Itoa(int(a.topic.RetryAfter.Seconds())))
	}
	if call.method == http.MethodPut && a.topic.Status == http.StatusAccepted {
		here := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path}
		h.Set("Location", here.String())
	}
	w.WriteHeader(a.topic.Status)
	http.NewResponseController(w).Flush() // the service's answers are chunked
	w.Write(a.body)
}

// sleepUntil reports whether the instant came before the end of ctx.
func sleepUntil(ctx context.Context, due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
