package scenarios

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/memnet"
)

// Network is what devices and cloud are joined by.
type Network string

// The networks: TLS on TCP, MQTT in the clear on TCP, and MQTT in the clear
// inside the process, without the operating system.
const (
	NetworkTLS    Network = "tls"
	NetworkTCP    Network = "tcp"
	NetworkMemory Network = "memory"
)

// Env is what a run needs beside its scenario. The zero value runs over TLS,
// without a log.
type Env struct {
	Network Network // empty is NetworkTLS
	Version string  // of the program; DPS's operator sees it
	// LogPath is where the log goes; empty writes none.
	LogPath string
	// GroupKey overrides the key of the scenario's first enrollment group, or of
	// its target.
	GroupKey provisioning.Key
	// Progress is told ten times a second how far the run is. Nil is nobody.
	Progress func(metrics.Progress)
	// Watch sees devices as they go, from their own goroutines.
	Watch Watch
	// FunctionLog takes the log of the policies that the cloud serves, Log that
	// of the cloud; nil is silence.
	FunctionLog io.Writer
	Log         *slog.Logger
	// TargetIsMine names the one host beyond this machine that may be loaded,
	// and AboveQuota lets it be loaded beyond a real DPS's quota.
	TargetIsMine string
	AboveQuota   bool
}

// Watch is for whoever shows single devices. Nil members are nobody.
type Watch struct {
	Event func(device.Event)
	Heard func(registrationID string, op provisioning.Operation)
}

// leaveTime is how long devices have to say goodbye when a run is stopped.
const leaveTime = 5 * time.Second

// run is a scenario as it is played.
type run struct {
	Scenario
	env    Env
	plan   fleet.Plan
	kinds  []*device.Kind // by fleet
	memory memnet.Network
	cloud  *emulator.Cloud // nil for a target
	target device.Target
	rec    *recorder
	faults *faults
}

// Run plays a scenario to its end, or to the end of ctx, and reports. An error
// says why it could not be run; with a *SetupError there is a report as well.
func Run(ctx context.Context, s Scenario, env Env) (metrics.Report, error) {
	if env.Network == "" {
		env.Network = NetworkTLS
	}
	r := &run{Scenario: s, env: env, rec: newRecorder(s.devices()), faults: newFaults(s)}
	if err := r.prepare(ctx); err != nil {
		return metrics.Report{}, err
	}
	defer r.closeCloud()
	return r.play(ctx)
}

// prepare does all that can fail before a device starts.
func (r *run) prepare(ctx context.Context) error {
	atMost, err := r.guard(r.env)
	if err != nil {
		return err
	}
	r.plan = r.Plan()
	r.plan.AtMost = atMost
	for _, f := range r.Fleets {
		kind, err := f.compile(r.Models)
		if err != nil {
			return fmt.Errorf("fleet %s: %w", f.Name, err)
		}
		r.kinds = append(r.kinds, kind)
	}
	if err := r.preflight(); err != nil {
		return err
	}
	if r.Scenario.Target != nil {
		return r.aimAtTarget()
	}
	return r.startCloud(context.WithoutCancel(ctx))
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
	n := r.devices()
	if limit := r.Limits.InFlight; limit > 0 {
		n = min(n, limit)
	}
	return n
}

func (r *run) startCloud(ctx context.Context) error {
	groupKey := r.env.GroupKey
	if groupKey == nil {
		groupKey, _ = provisioning.ParseKey(TutorialGroupKey)
	}
	config := r.Config(groupKey)
	config.TLS = r.env.Network == NetworkTLS
	config.Record = r.rec.exchange
	config.FunctionLog = r.env.FunctionLog
	config.Log = r.env.Log
	config.Transport = r.faults.transport
	if r.env.Network == NetworkMemory {
		config.Listen, config.Dial = r.memory.Listen, r.memory.Dial
	}
	cloud, err := emulator.Start(ctx, config)
	if err != nil {
		return fmt.Errorf("starting the cloud: %w", err)
	}
	r.cloud = cloud
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cloud.CA())
	r.aim(cloud.Addr(), cloud.Addr(), roots)
	r.target.IDScope = cloud.IDScope()
	return nil
}

func (r *run) aimAtTarget() error {
	t := r.Scenario.Target
	var roots *x509.CertPool
	if len(t.RootCAs) > 0 {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(t.RootCAs) {
			return errors.New("the CA file holds no certificate in PEM")
		}
	}
	if r.env.Network == NetworkMemory {
		return errors.New("a target is on a network; --network memory is for the cloud that dpsfleet brings along")
	}
	gateway := t.Gateway
	if host, _, _ := net.SplitHostPort(t.DPS); gateway == "" && loopback(host) {
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
		},
	}
	if r.env.Network == NetworkMemory {
		r.target.Dial = r.memory.Dial
	}
	if r.env.Network == NetworkTLS {
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

// play starts the devices, records what they do, and reports.
func (r *run) play(ctx context.Context) (metrics.Report, error) {
	info := r.info()
	log, err := r.createLog(info)
	if err != nil {
		return metrics.Report{}, err
	}
	collector, err := metrics.NewCollector(info, log)
	if err != nil {
		return metrics.Report{}, err
	}
	playing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go r.rec.run(collector, cancel, r.env.Progress)

	health := r.boot(playing)
	ended := time.Now()
	end := r.end(health)
	r.closeCloud()
	r.rec.stop()
	collector.Finish(ended)

	setup := setupError(collector, playing)
	end.Interrupted = ctx.Err() != nil
	if cause := context.Cause(playing); cause != nil && !end.Interrupted {
		end.Stopped = cause.Error()
	}
	report := collector.Report(ended, end)
	if log != nil {
		// What the log lacks is among the report's notes already.
		if err := log.Close(report); err != nil && log.Err() == nil {
			report.Run.Notes = append(report.Run.Notes, err.Error())
		}
	}
	return report, setup
}

// setupError is the mistake in the set-up that stopped the run, or that all of
// its few boots ended on.
func setupError(c *metrics.Collector, playing context.Context) error {
	var setup *SetupError
	if errors.As(context.Cause(playing), &setup) {
		return setup
	}
	if cause, why, ok := c.Misconfigured(); ok {
		return &SetupError{Cause: cause, Why: why}
	}
	return nil
}

func (r *run) createLog(info metrics.RunInfo) (*metrics.Log, error) {
	if r.env.LogPath == "" {
		return nil, nil
	}
	return metrics.CreateLog(r.env.LogPath, info)
}

// boot plays the plan. Devices that do not leave in time when the run is stopped
// are left behind: the collector ends their boots as interrupted.
func (r *run) boot(ctx context.Context) fleet.Health {
	r.faults.start(time.Now())
	done := make(chan fleet.Health, 1)
	go func() { done <- fleet.Run(ctx, r.plan, r.bootOne, r.dropOne) }()
	select {
	case health := <-done:
		return health
	case <-ctx.Done():
	}
	leave := time.NewTimer(leaveTime)
	defer leave.Stop()
	select {
	case health := <-done:
		return health
	case <-leave.C:
		return fleet.Health{}
	}
}

// bootOne boots one device that is due.
func (r *run) bootOne(ctx context.Context, a fleet.Arrival, due time.Time) {
	f := r.Fleets[a.Fleet]
	d, err := r.kinds[a.Fleet].Make(r.number(a))
	if err != nil {
		r.drop(a, due, &device.Failure{Outcome: device.OutcomeFailed, Err: err}, device.Failed)
		return
	}
	d.Key = r.key(f, d.ID)
	d.Until, d.Stay, d.Telemetry = f.Until, durationOf(f.Stay), durationOf(f.Telemetry)
	d.Run(ctx, &r.target, due, r.record)
}

func (r *run) record(e device.Event) {
	r.rec.event(e)
	if r.env.Watch.Event != nil {
		r.env.Watch.Event(e)
	}
}

func (r *run) number(a fleet.Arrival) device.Number {
	f := r.Fleets[a.Fleet]
	return device.Number{Fleet: f.Name, N: f.first() + a.Index, Boot: 1, Seed: r.Seed}
}

// dropOne tells of a device that could not start: its fleet was at its limit.
func (r *run) dropOne(a fleet.Arrival, due time.Time) {
	r.drop(a, due, &device.Failure{Outcome: device.OutcomeDropped, Err: errors.New("limits.inFlight boots were running already")}, device.Dropped)
}

func (r *run) drop(a fleet.Arrival, due time.Time, failure *device.Failure, to device.Stage) {
	n := r.number(a)
	id, _ := r.kinds[a.Fleet].ID(n)
	now := time.Now()
	r.rec.event(device.Event{
		Device: id, Fleet: n.Fleet, Model: r.kinds[a.Fleet].Name, Boot: n.Boot,
		To: to, At: now, In: now.Sub(due), Err: failure,
	})
}

// key is the key of a device: that of its individual enrollment in our cloud, or
// one derived from its group's.
func (r *run) key(f Fleet, id string) provisioning.Key {
	if r.cloud == nil {
		t := r.Scenario.Target
		switch {
		case t.DeviceKey != nil:
			return t.DeviceKey
		case r.env.GroupKey != nil:
			return r.env.GroupKey.Derive(id)
		}
		return t.GroupKey.Derive(id)
	}
	if _, individual := r.Cloud.IndividualEnrollments[id]; individual {
		key, _ := r.cloud.Key(id)
		return key
	}
	group := f.EnrollmentGroup
	if group == "" {
		group = r.firstGroup()
	}
	key, _ := r.cloud.Key(group)
	return key.Derive(id)
}

func (r *run) firstGroup() string {
	first := ""
	for name := range r.Cloud.EnrollmentGroups {
		if first == "" || name < first {
			first = name
		}
	}
	return first
}

// closeCloud ends the cloud, once.
func (r *run) closeCloud() {
	if r.cloud != nil {
		r.cloud.Close()
	}
}

// info is what is known of the run before it starts.
func (r *run) info() metrics.RunInfo {
	info := metrics.RunInfo{
		Scenario:   r.Name,
		Text:       r.shown(),
		Seed:       r.Seed,
		Ours:       r.cloud != nil,
		Target:     r.describeTarget(),
		Unverified: r.target.TLS != nil && r.target.TLS.InsecureSkipVerify,
		Versions:   map[string]string{"dpsfleet": r.env.Version, "go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH},
		Thresholds: r.Thresholds,
		Started:    time.Now(),
	}
	for _, f := range r.Fleets {
		info.Fleets = append(info.Fleets, metrics.Fleet{Name: f.Name, Count: f.Count, Expect: f.Expect})
	}
	return info
}

func (r *run) describeTarget() string {
	if r.cloud != nil {
		return fmt.Sprintf("the embedded cloud over %s, id scope %s", r.env.Network, r.target.IDScope)
	}
	return fmt.Sprintf("%s over %s, id scope %s", r.target.Endpoint, r.env.Network, r.target.IDScope)
}

func (r *run) end(health fleet.Health) metrics.End {
	end := metrics.End{
		Due:          health.Due,
		Blocked:      metrics.Millis(r.rec.blocked.sum()),
		PeakInFlight: health.Peak,
		Faults:       r.faults.untouched(),
	}
	if r.cloud != nil {
		end.Cloud = totals(r.cloud.Totals())
	}
	return end
}
