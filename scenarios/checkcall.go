package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// targetKind checks that a target is a DPS or a webhook, and has what that needs.
func (c *checker) targetKind(t *Target) {
	switch {
	case t.DPS != "" && t.Webhook != "":
		c.add("/target/webhook", "there is a dps as well; devices register with it, or their requests go to the webhook")
	case t.Webhook != "":
		c.webhookTarget(t)
	case t.DPS == "":
		c.add("/target", "lacks dps (with idScope), or webhook")
	case t.IDScope == "":
		c.add("/target", "lacks idScope")
	}
	if t.Webhook == "" && (t.Requests != Requests{} || !t.HTTP.empty()) {
		c.add("/target", "requests and http are for a webhook")
	}
}

func (c *checker) webhookTarget(t *Target) {
	if !strings.HasPrefix(t.Webhook, "http://") && !strings.HasPrefix(t.Webhook, "https://") {
		c.add("/target/webhook", "a webhook's URL begins with https:// or http://")
	}
	if len(t.Hubs) == 0 {
		c.add("/target", "lacks hubs, the linked hubs that the webhook may answer")
	}
	if t.GroupKey != nil || t.Gateway != "" || t.IDScope != "" || t.ServerName != "" {
		c.add("/target", "idScope, groupKey, serverName and gateway are for a DPS; a webhook sees none of them")
	}
	if err := t.HTTP.Check(); err != nil {
		c.add("/target/http/headers", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// Check says what is wrong with the headers; what else there is cannot be wrong.
func (h HTTP) Check() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		switch {
		case !validHeader(name, h.Headers[name]):
			errs = append(errs, fmt.Errorf("%.80q is not the name of a header, or its value not one", name))
		case refusedHeader(name):
			errs = append(errs, fmt.Errorf("the header %s is not yours to say", http.CanonicalHeaderKey(name)))
		}
	}
	return errors.Join(errs...)
}

// validHeader is RFC 9110, sections 5.1 and 5.5.
func validHeader(name, value string) bool {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	return name != "" && strings.Trim(strings.ToLower(name), token) == "" && !strings.ContainsFunc(value, control)
}

// refusedHeader reports whether a header would contradict the message that it is
// on, or what a call is bounded by.
func refusedHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Expect", "Accept-Encoding":
		return true
	}
	return false
}

func (h HTTP) empty() bool {
	return h.Timeout == 0 && !h.HTTP2 && h.KeepAlive == nil && h.Connections == 0 && len(h.Headers) == 0
}
