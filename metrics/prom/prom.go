package prom

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dpsfleet/metrics"
)

// Metrics are what one program shows. A run feeds them through Fold; a cloud or a
// webhook without one through Declare, Exchange and Webhook.
type Metrics struct {
	registry *prometheus.Registry
	known    names
	run      runFamilies
	cloud    cloudFamilies
}

// New makes metrics that are all still to come, with those of Go and of the
// process, where the system tells them, beside.
func New() *Metrics {
	m := newMetrics()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func newMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), run: newRunFamilies(), cloud: newCloudFamilies()}
	m.run.register(m.registry)
	m.cloud.register(m.registry)
	return m
}

// Handler answers a scrape, wherever it is mounted.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Declare names the hubs that labels may hold. It comes before the first exchange.
func (m *Metrics) Declare(hubs []string) { m.known = newNames(metrics.RunInfo{Hubs: hubs}) }
