package scenarios

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// prepare does all that can fail before a device starts.
func (r *run) prepare(ctx context.Context) error {
	atMost, err := r.guard(r.env)
	if err != nil {
		return err
	}
	if err := r.faultsInReach(); err != nil {
		return err
	}
	r.plan = r.Plan()
	r.plan.AtMost, r.plan.Closed, r.plan.For = atMost, r.env.Closed, r.env.For
	r.plan.Shard, r.plan.Shards = r.env.Shard, r.env.Shards
	for _, f := range r.Fleets {
		kind, err := f.compile(r.Models)
		if err != nil {
			return fmt.Errorf("fleet %s: %w", f.Name, err)
		}
		r.kinds, r.backoffs = append(r.kinds, kind), append(r.backoffs, r.backoff(f))
	}
	if err := r.preflight(); err != nil {
		return err
	}
	if r.direct() {
		return r.prepareCalls()
	}
	if r.Scenario.Target != nil {
		return r.aimAtTarget()
	}
	if err := r.needsTLS(); err != nil {
		return err
	}
	if err := r.startCloud(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := r.makeCertificates(ctx); err != nil {
		r.closeCloud()
		return fmt.Errorf("making the devices' certificates: %w", err)
	}
	if err := r.placeDevices(); err != nil {
		r.closeCloud()
		return err
	}
	return nil
}

// preflight finds what the machine lacks before anything is started.
func (r *run) preflight() error {
	need := fleet.Need{Connections: r.peak(), FilesEach: 2}
	switch {
	case r.env.Network == NetworkMemory:
		need.FilesEach = 0
	case r.Scenario.Target != nil:
		need.FilesEach = 1
	}
	var short []error
	for _, finding := range fleet.Preflight(need) {
		if finding.Short() {
			short = append(short, errors.New(finding.String()))
		}
	}
	if err := errors.Join(short...); err != nil {
		return fmt.Errorf("this machine cannot hold %d connections at once (--network memory needs none, limits: inFlight: bounds them): %w", need.Connections, err)
	}
	return nil
}

// peak is how many connections may be open at once.
func (r *run) peak() int {
	parts := max(1, r.env.Shards)
	n := (r.devices() + parts - 1) / parts
	if limit := r.Limits.InFlight; limit > 0 {
		n = min(n, limit)
	}
	if r.direct() && r.Target.HTTP.Connections > 0 {
		n = min(n, r.Target.HTTP.Connections)
	}
	return n
}

func (r *run) startCloud(ctx context.Context) error {
	tutorial, err := provisioning.ParseKey(TutorialGroupKey)
	if err != nil {
		return err
	}
	config := r.Config(r.env.GroupKey, tutorial)
	config.TLS = r.env.Network.secure()
	if r.env.Network == NetworkWSS {
		config.HTTPS = "127.0.0.1:0"
	}
	config.Record = r.rec.exchange
	config.Observe.Off = true // the recorder has it all
	config.FunctionLog = r.env.FunctionLog
	config.Log = r.env.Log
	config.Transport, config.Fault = r.faults.transport, r.faults.ofCloud()
	if r.env.Network == NetworkMemory {
		config.Listen, config.Dial = r.memory.Listen, r.memory.Dial
	}
	cloud, err := emulator.New(ctx, config)
	if err != nil {
		return fmt.Errorf("starting the cloud: %w", err)
	}
	r.cloud = cloud
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cloud.CA())
	address := cloud.Addr()
	if r.env.Network == NetworkWSS {
		address = cloud.HTTPSAddr()
	}
	r.aim(address, address, roots)
	r.target.IDScope = cloud.IDScope()
	return nil
}

func (r *run) aimAtTarget() error {
	t := r.Scenario.Target
	roots, err := t.pool()
	if err != nil {
		return err
	}
	if r.env.Network == NetworkMemory {
		return errors.New("a target is on a network; --network memory is for the cloud that dpsfleet brings along")
	}
	gateway := t.Gateway
	if host, _, _ := net.SplitHostPort(t.DPS); gateway == "" && Loopback(host) {
		gateway = t.DPS
	}
	r.aim(t.DPS, gateway, roots)
	r.target.IDScope = t.IDScope
	if t.ServerName != "" {
		r.target.ServerName = t.ServerName
	}
	if r.target.TLS != nil {
		r.target.TLS.InsecureSkipVerify = t.Insecure
	}
	return nil
}

// pool are the roots that the target's certificate is held against; nil is the
// system's.
func (t *Target) pool() (*x509.CertPool, error) {
	if len(t.RootCAs) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(t.RootCAs) {
		return nil, errors.New("the CA file holds no certificate in PEM")
	}
	return roots, nil
}

// aim fills in what devices need of either.
func (r *run) aim(endpoint, gateway string, roots *x509.CertPool) {
	hubs := r.Hubs()
	host, _, _ := net.SplitHostPort(endpoint)
	r.target = device.Target{
		Endpoint:   endpoint,
		ServerName: host,
		Gateway:    gateway,
		Version:    r.env.Version,
		Heard:      r.env.Watch.Heard,
		Declared: func(hub string) bool {
			return slices.ContainsFunc(hubs, func(h string) bool { return strings.EqualFold(h, hub) })
		},
		Limits: device.Limits{
			Boot:     durationOf(r.Limits.Boot),
			Dial:     durationOf(r.Limits.Dial),
			TLS:      durationOf(r.Limits.TLS),
			Answer:   durationOf(r.Limits.Answer),
			Attempts: r.Limits.Attempts,

			Reprovision: durationOf(r.Limits.Reprovision),
		},
	}
	if r.env.Network == NetworkMemory {
		r.target.Dial = r.memory.Dial
	}
	r.target.WebSocket = r.env.Network == NetworkWSS
	if r.env.Network.secure() {
		r.target.TLS = r.tls(roots)
	}
}

func (r *run) tls(roots *x509.CertPool) *tls.Config {
	config := device.TLS(roots)
	if r.TLS.Min == "1.3" {
		config.MinVersion = tls.VersionTLS13
	}
	if r.TLS.Max == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	config.ServerName = r.target.ServerName
	return config
}
