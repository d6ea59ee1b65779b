package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/metrics/prom"
	"dpsfleet/provisioning/emulator"
)

// metricsFlags are those of every verb that Prometheus can watch.
type metricsFlags struct {
	address string
	linger  lingering
}

func (f *metricsFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "metrics", "", "`ADDR` to serve /metrics on for Prometheus, as 127.0.0.1:9464; port 0 picks a free one")
}

// addLinger is for verbs that come to an end of their own.
func (f *metricsFlags) addLinger(cmd *cobra.Command) {
	cmd.Flags().Var(&f.linger, lingerFlag, "keep serving --metrics for a `DURATION` after the report; without one, until a signal")
	cmd.Flags().Lookup(lingerFlag).NoOptDefVal = untilSignal
}

// show serves what --metrics asks for. The port is taken before anything else is
// started; without the flag there is nothing to show, which is nil.
func (f *metricsFlags) show(cmd *cobra.Command) (*shown, error) {
	if f.address == "" {
		if f.linger != 0 {
			return nil, usage(cmd, "--linger keeps --metrics going, which is not given")
		}
		return nil, nil
	}
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return nil, fmt.Errorf("serving metrics: %w", listenError("--metrics", err))
	}
	f.address = listener.Addr().String() // with its port, where a free one was asked for
	s := &shown{metrics: prom.New(), address: f.address, done: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	// A run that is stopped still shows its end.
	ctx, stop := context.WithCancel(context.WithoutCancel(cmd.Context()))
	s.stop = stop
	go func() { s.done <- serve(ctx, listener, mux) }()
	return s, nil
}

// shown are metrics that are being served; nil are none.
type shown struct {
	metrics *prom.Metrics
	address string
	stop    context.CancelFunc
	done    chan error
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

// linger goes on serving for as long as was asked for, or until a signal.
func (s *shown) linger(p *program, ctx context.Context, how lingering) {
	if s == nil || how == 0 || ctx.Err() != nil {
		return
	}
	fmt.Fprintf(p.stderr, "metrics stay at http://%s/metrics, %s\n", s.address, how.words())
	if how == forever {
		<-ctx.Done()
		return
	}
	enough := time.NewTimer(time.Duration(how))
	defer enough.Stop()
	select {
	case <-enough.C:
	case <-ctx.Done():
	}
}

func (s *shown) close() {
	if s != nil {
		s.stop()
		<-s.done
	}
}

// lingering is how long: 0 is not at all.
type lingering time.Duration

const (
	lingerFlag  = "linger"
	untilSignal = "signal"

	forever lingering = -1
)

func (l lingering) words() string {
	if l == forever {
		return "until Ctrl-C"
	}
	return "for " + time.Duration(l).String()
}

// String, Set and Type make it a flag's value.
func (l *lingering) String() string {
	switch *l {
	case 0:
		return ""
	case forever:
		return untilSignal
	}
	return time.Duration(*l).String()
}

func (l *lingering) Set(text string) error {
	if text == untilSignal {
		*l = forever
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration such as 30s", text)
	}
	*l = lingering(d)
	return nil
}

func (l *lingering) Type() string { return "duration" }

// joinLinger makes `--linger 30s` one argument: the flag does without a value, and
// pflag then takes one after "=" alone.
func joinLinger(args []string) []string {
	i := slices.Index(args, "--"+lingerFlag)
	if i < 0 || i+1 == len(args) || slices.Contains(args[:i], "--") {
		return args
	}
	if _, err := time.ParseDuration(args[i+1]); err != nil || strings.HasPrefix(args[i+1], "-") {
		return args
	}
	return slices.Concat(args[:i], []string{args[i] + "=" + args[i+1]}, args[i+2:])
}
