package emulator

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/rest"
)

// observed tells what the emulator saw. It is the emulator's own and nothing of
// Azure's: a developer's test asks it what the webhook got for a device.
func (c *Cloud) observed() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /emulator/exchanges", c.showExchanges)
	mux.HandleFunc("GET /emulator/totals", func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.Marshal(c.Totals())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		showJSON(w, body)
	})
	mux.HandleFunc("GET /emulator/ready", func(w http.ResponseWriter, _ *http.Request) {
		showJSON(w, []byte(`{"status":"ready"}`)) // whoever hears it got here
	})
	mux.HandleFunc("GET /emulator/ca", func(w http.ResponseWriter, _ *http.Request) {
		if c.CA() == nil {
			http.Error(w, "the emulator serves without TLS and has no certificate", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Write(c.CA())
	})
	return rest.Guard(c.faceHosts(), c.bearer(mux))
}

// Token lets its bearer ask what the emulator saw. It is made at start.
func (c *Cloud) Token() string { return c.token }

// bearer lets in who has the token (RFC 6750).
func (c *Cloud) bearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this needs the token that the emulator made: Authorization: Bearer TOKEN", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func showJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

// longestWait bounds what a request may wait.
const longestWait = 5 * time.Minute

// showExchanges lists what is kept, the oldest first: of one device, of one kind,
// with a higher number. With wait it answers as soon as there is one, and 204 if
// none came.
func (c *Cloud) showExchanges(w http.ResponseWriter, r *http.Request) {
	q, wait, err := parseQuestion(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if wait == 0 {
		showJSON(w, listJSON(masked(c.observer.find(q))))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	found, err := c.await(ctx, q)
	if err != nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	showJSON(w, listJSON(found))
}

func parseQuestion(r *http.Request) (question, time.Duration, error) {
	query := r.URL.Query()
	q := question{registrationID: query.Get("registrationId"), kind: provisioning.ExchangeKind(query.Get("kind"))}
	var err error
	if text := query.Get("after"); text != "" {
		if q.after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return question{}, 0, errors.New("after is not the number of an exchange")
		}
	}
	text := query.Get("wait")
	if text == "" {
		return q, 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > longestWait {
		return question{}, 0, errors.New("wait is not a duration such as 5s, of 5m at most")
	}
	return q, wait, nil
}

func listJSON(all []Observation) []byte {
	texts := make([][]byte, 0, len(all))
	for _, o := range all {
		texts = append(texts, o.JSON())
	}
	return append(append([]byte("["), bytes.Join(texts, []byte(",\n"))...), ']')
}
