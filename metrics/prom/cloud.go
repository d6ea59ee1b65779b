package prom

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// Exchange takes what a cloud served that no run is played against. Any goroutine
// may call it.
func (m *Metrics) Exchange(x provisioning.Exchange) { m.exchange(&x) }

func (m *Metrics) exchange(x *provisioning.Exchange) {
	switch {
	case x.Kind == provisioning.ExchangeAllocate:
		m.webhook(x.Status, x.Took)
	case x.Kind != provisioning.ExchangeVerdict:
		kind := string(x.Kind) // one of ours, not the wire's
		m.cloud.exchanges.WithLabelValues(kind, status(x.Status)).Inc()
		m.cloud.answering.WithLabelValues(kind).Observe(x.Took.Seconds())
	case x.State != nil:
		m.verdict(x.State)
	}
}

// verdict counts a registration that has come to its end. DPS's words for that
// are outcomes of boots as well.
func (m *Metrics) verdict(s *provisioning.RegistrationState) {
	hub := ""
	if s.Status == provisioning.Assigned {
		hub = m.known.hub(s.AssignedHub)
	}
	m.cloud.registrations.WithLabelValues(hub, outcome(device.Outcome(s.Status)), code(s.ErrorCode)).Inc()
}

func (m *Metrics) webhook(answered int, took time.Duration) {
	m.cloud.requests.WithLabelValues(status(answered)).Inc()
	m.cloud.took.WithLabelValues().Observe(took.Seconds())
}

// Webhook counts the calls that next serves.
func (m *Metrics) Webhook(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &answered{ResponseWriter: w, status: http.StatusOK}
		defer func() { m.webhook(seen.status, time.Since(began)) }() // also if next panics
		next.ServeHTTP(seen, r)
	})
}

// answered remembers the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
	said   bool
}

func (a *answered) WriteHeader(status int) {
	if !a.said && status >= 200 { // what comes before is not the answer
		a.status, a.said = status, true
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Write(p []byte) (int, error) {
	a.said = true
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Totals shows a cloud's own totals, which it is asked for at each scrape.
func (m *Metrics) Totals(of func() map[string]int64) { m.registry.MustRegister(totals(of)) }

type totals func() map[string]int64

func (t totals) desc() *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_emulator_served_total", "What the cloud has served, by its own count.", []string{"what"}, nil)
}

func (t totals) Describe(to chan<- *prometheus.Desc) { to <- t.desc() }

func (t totals) Collect(to chan<- prometheus.Metric) {
	for what, n := range t() {
		to <- prometheus.MustNewConstMetric(t.desc(), prometheus.CounterValue, float64(n), what)
	}
}
