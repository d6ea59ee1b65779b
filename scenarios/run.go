package scenarios

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/memnet"
)

// Network is what devices and cloud are joined by.
type Network string

// The networks: TLS on TCP, MQTT over WebSocket in TLS on TCP, MQTT in the clear
// on TCP, and MQTT in the clear inside the process, without the operating system.
const (
	NetworkTLS    Network = "tls"
	NetworkWSS    Network = "wss"
	NetworkTCP    Network = "tcp"
	NetworkMemory Network = "memory"
)

// Networks lists them.
func Networks() []Network { return []Network{NetworkTLS, NetworkWSS, NetworkTCP, NetworkMemory} }

// DefaultPort is Azure's for devices on this network.
func (n Network) DefaultPort() string {
	if n == NetworkWSS {
		return "443"
	}
	return "8883"
}

// secure reports whether there is TLS.
func (n Network) secure() bool { return n == NetworkTLS || n == NetworkWSS }

// Env is what a run needs beside its scenario. The zero value runs over TLS,
// without a log.
type Env struct {
	Network Network // empty is NetworkTLS
	Version string  // of the program; DPS's operator sees it
	// LogPath is where the log goes; empty writes none.
	LogPath string
	// LogNumbered lets a number be added to it where there is such a log already,
	// as where two runs begin in the second that it is called by.
	LogNumbered bool
	// Record is a recording to be made of the webhook's calls.
	Record Record
	// GroupKey overrides the key of the scenario's first enrollment group, or of
	// its target.
	GroupKey provisioning.Key
	// Progress is told ten times a second how far the run is. Nil is nobody.
	Progress func(metrics.Progress)
	// Shard is which part of the devices this process boots, from 0, where Shards
	// processes share them; 0 or 1 is all of them.
	Shard, Shards int
	// Folds are fed by the recorder beside its own.
	Folds []metrics.Fold
	// Watch sees devices as they go, from their own goroutines.
	Watch Watch
	// FunctionLog takes the log of the policies that the cloud serves, Log that
	// of the cloud; nil is silence.
	FunctionLog io.Writer
	Log         *slog.Logger
	// TargetIsMine names the host beyond this machine that may be loaded, or several
	// with commas, and AboveQuota lets it be loaded beyond a real DPS's quota.
	TargetIsMine string
	AboveQuota   bool
	// Dial opens the connections to a webhook that is called directly; nil is the
	// operating system's network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Requests are what that webhook is asked, instead of what the fleets' models
	// make: that of each arrival.
	Requests func(fleet.Arrival) (allocation.Asked, error)
	// Closed makes a closed model of such a run: limits.inFlight calls run at any
	// time, for as long as For says, and nothing is due before one has ended.
	Closed bool
	For    time.Duration
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
	calls  *calls          // nil unless the target is a webhook
	target device.Target
	// targets are that one by path: the devices are spread over them.
	targets []device.Target
	// certificates are the devices', by fleet and arrival; nil where none has one.
	certificates [][]*tls.Certificate
	backoffs     []device.Backoff // by fleet
	again        again            // what follows the first boots
	rec          *recorder
	record       func(device.Event) // for the recorder, and whoever watches
	faults       *faults
}

// Run plays a scenario to its end, or to the end of ctx, and reports. An error
// says why it could not be run; with a *SetupError or a *LostError there is a report
// as well.
func Run(ctx context.Context, s Scenario, env Env) (metrics.Report, error) {
	if env.Network == "" {
		env.Network = NetworkTLS
	}
	r := &run{Scenario: s, env: env, rec: newRecorder(s.devices()), faults: newFaults(s)}
	r.record = r.hears()
	if err := r.prepare(ctx); err != nil {
		return metrics.Report{}, err
	}
	defer r.closeCloud()
	return r.play(ctx)
}

// play starts the devices, records what they do, and reports.
func (r *run) play(ctx context.Context) (metrics.Report, error) {
	info := r.info()
	recording, err := r.createRecording(info)
	if err != nil {
		return metrics.Report{}, err
	}
	log, err := r.createLog(info)
	if err != nil {
		recording.discard()
		return metrics.Report{}, err
	}
	collector, err := metrics.NewCollector(info, log, recording.folds(r.env.Folds)...)
	if err != nil {
		return metrics.Report{}, err
	}
	playing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go r.rec.run(collector, cancel, r.env.Progress)

	machine := lookAfter()
	health := r.boot(playing)
	ended := time.Now()
	end := r.end(health)
	end.Machine = machine()
	r.closeCloud()
	r.rec.stop()
	collector.Finish(ended)
	notes, lost := recording.close()
	end.Notes = append(end.Notes, notes...)

	setup := setupError(collector, playing)
	end.Interrupted = ctx.Err() != nil
	if cause := context.Cause(playing); cause != nil && !end.Interrupted {
		end.Stopped = cause.Error()
	}
	report := collector.Report(ended, end)
	if log != nil {
		// What the log lacks is among the report's notes already.
		err := log.Close(report)
		if err != nil && log.Err() == nil {
			report.Run.Notes = append(report.Run.Notes, err.Error())
		}
		lost = errors.Join(lost, err)
	}
	if lost != nil {
		lost = &LostError{lost}
	}
	return report, errors.Join(setup, lost)
}

// LostError is why a run's log, or the recording that it made, lacks something. The
// report is of the whole run all the same, and says so in its notes.
type LostError struct{ Err error }

func (e *LostError) Error() string { return e.Err.Error() }
func (e *LostError) Unwrap() error { return e.Err }

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
	log, err := metrics.CreateLog(r.env.LogPath, info)
	for n := 2; r.env.LogNumbered && errors.Is(err, fs.ErrExist); n++ {
		log, err = metrics.CreateLog(fmt.Sprintf("%s-%d.ndjson", strings.TrimSuffix(r.env.LogPath, ".ndjson"), n), info)
	}
	return log, err
}

// boot plays the plan. Devices that do not leave in time when the run is stopped
// are left behind: the collector ends their boots as interrupted.
func (r *run) boot(ctx context.Context) fleet.Health {
	now := time.Now()
	r.faults.start(now)
	if r.plan.AtMost > 0 {
		r.again.bound(r.plan.AtMost, now.Add(r.plan.Describe().Last+time.Second))
	}
	done := make(chan fleet.Health, 1)
	boot := r.bootOne
	if r.calls != nil {
		boot = r.callOne
	}
	go func() { done <- fleet.Run(ctx, r.plan, boot, r.dropOne) }()
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

// closeCloud ends the cloud, once.
func (r *run) closeCloud() {
	if r.cloud != nil {
		r.cloud.Close()
	}
	if r.calls != nil {
		r.calls.transport.CloseIdleConnections()
	}
}
