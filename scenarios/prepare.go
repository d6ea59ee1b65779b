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
	r.makePlan(atMost)
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
	r.spread()
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
	r.aim(t.DPS, t.gatewayAt(t.DPS), roots)
	r.target.IDScope = t.IDScope
	if t.ServerName != "" {
		r.target.ServerName = t.ServerName
	}
	if r.target.TLS != nil {
		r.target.TLS.InsecureSkipVerify = t.Insecure
	}
	r.spread()
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
			Token:    durationOf(r.Limits.Token),

			Reprovision: durationOf(r.Limits.Reprovision),
		},
	}
	if r.env.Network == NetworkMemory {
		r.target.Dial = r.memory.Dial
	}
	r.target.WebSocket = r.env.Network == NetworkWSS
	if r.env.Network.secure() {
		r.target.TLS, r.target.Trust = r.tls(roots), new(device.Trust)
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
