package main

import (
	"fmt"
	"net"
	"net/http"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/metrics/prom"
	"dpsfleet/provisioning/emulator"
)

// metricsFlags are those of every verb that Prometheus can watch.
type metricsFlags struct{ address string }

func (f *metricsFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "metrics", "", "`ADDR` to serve /metrics on for Prometheus, as 127.0.0.1:9464; port 0 picks a free one")
}

// show serves what --metrics asks for. The port is taken before anything else is
// started; without the flag there is nothing to show, which is nil.
func (f *metricsFlags) show(cmd *cobra.Command) (*shown, error) {
	if f.address == "" {
		return nil, nil
	}
	if _, err := hostOf(cmd, "metrics", f.address, "127.0.0.1:9464"); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return nil, fmt.Errorf("serving metrics: %w", listenError("--metrics", err))
	}
	f.address = listener.Addr().String() // with its port, where a free one was asked for
	s := &shown{metrics: prom.New(), address: f.address}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	s.served = serveBeside(cmd.Context(), listener, mux)
	return s, nil
}

// shown are metrics that are being served; nil are none.
type shown struct {
	served
	metrics *prom.Metrics
	address string
}

// folds are what a run is to feed.
func (s *shown) folds() []metrics.Fold {
	if s == nil {
		return nil
	}
	return []metrics.Fold{s.metrics.Fold()}
}

// record has a cloud tell what it serves.
func (s *shown) record(config *emulator.Config) {
	if s != nil {
		s.metrics.Declare(config.LinkedHubs)
		config.Record = s.metrics.Exchange
	}
}

// count adds the cloud's own totals.
func (s *shown) count(cloud *emulator.Cloud) {
	if s != nil {
		s.metrics.Totals(func() map[string]int64 { return cloud.Totals().ByName() })
	}
}

// beside serves /metrics on a webhook's own listener, too, and counts its calls.
func (s *shown) beside(webhook http.Handler) http.Handler {
	m := prom.New()
	if s != nil {
		m = s.metrics
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.Handle("/", m.Webhook(webhook))
	return mux
}

// announce says where the metrics are.
func (s *shown) announce(p *program) {
	if s != nil {
		fmt.Fprintf(p.stderr, "metrics at http://%s/metrics\n", s.address)
	}
}

func (s *shown) close() {
	if s != nil {
		s.served.close()
	}
}
