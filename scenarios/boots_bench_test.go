//go:build unix

package scenarios_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/scenarios"
)

const (
	bootBatch  = 500
	bootAtOnce = 200
)

// way is how devices and cloud are joined.
type way struct {
	name    string
	network scenarios.Network
	version uint16 // of TLS; 0 is none
	resumed bool
	webhook bool // allocates, in a third process
}

// BenchmarkBoot is boots a second to assigned, by static allocation and without a
// wait, where the machine is the limit: of the whole program with its recorder
// (run), of its devices alone (boot), of Paho's full client (paho), and of a bare
// loop that makes the same handshake and moves as many bytes in as many round
// trips (limit). They take turns, 500 boots each, 200 at a time, but for
// those of run, which are all due at once. What one boot costs is in CPU and bytes
// allocated, of the devices' process and of the cloud's. All processes collect as
// run and emulate do (scenarios.CollectLess).
func BenchmarkBoot(b *testing.B) {
	defer scenarios.CollectLess(0)()
	turns := bootTurns()
	for _, w := range []way{
		{name: "tls13", network: scenarios.NetworkTLS, version: tls.VersionTLS13},
		{name: "tls12", network: scenarios.NetworkTLS, version: tls.VersionTLS12},
		{name: "tls12resumed", network: scenarios.NetworkTLS, version: tls.VersionTLS12, resumed: true},
		{name: "plain", network: scenarios.NetworkTCP},
		{name: "plainWebhook", network: scenarios.NetworkTCP, webhook: true},
		{name: "memory", network: scenarios.NetworkMemory},
	} {
		b.Run(w.name, func(b *testing.B) {
			race := newRace(b, w, turns)
			for b.Loop() {
				race.round()
			}
			race.report()
		})
	}
}

// race is what BenchmarkBoot compares, and how far each has come.
type race struct {
	b     *testing.B
	lanes []*lane
}

// lane is one of those that are compared.
type lane struct {
	name  string
	boots func(n int) // that many, from the next device on
	cloud func() usage

	count  int
	here   usage       // in this process
	there  usage       // in the cloud's
	rounds []laneRound // for ratios, which lanes have round by round
}

// laneRound is a lane's boots a second in a round, and what one took of both sides.
type laneRound struct{ rate, cpu float64 }

func (r *race) round() {
	for _, l := range r.lanes {
		runtime.GC()
		here, there, began := usedHere(), l.cloud(), time.Now()
		l.boots(bootBatch)
		took, here, there := time.Since(began), usedHere().since(here), l.cloud().since(there)
		l.rounds = append(l.rounds, laneRound{bootBatch / took.Seconds(), (here.CPU + there.CPU).Seconds() / bootBatch})
		l.here, l.there = l.here.and(here), l.there.and(there)
		l.count += bootBatch
	}
}

// rate is boots a second in a usual round.
func (l *lane) rate() float64 {
	return medianOf(len(l.rounds), func(i int) float64 { return l.rounds[i].rate })
}

// to is how many times as fast as other a lane is in a usual round, and how much
// less CPU a boot takes. What else the machine does in one lane's turn spoils a
// round, and not the median.
func (l *lane) to(other *lane) (rate, cpu float64) {
	rate = medianOf(len(l.rounds), func(i int) float64 { return l.rounds[i].rate / other.rounds[i].rate })
	cpu = medianOf(len(l.rounds), func(i int) float64 { return other.rounds[i].cpu / l.rounds[i].cpu })
	return rate, cpu
}

func medianOf(n int, value func(int) float64) float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = value(i)
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// report gives each lane's rate, its share of the limit, and what a boot costs.
func (r *race) report() {
	for i, l := range r.lanes {
		r.b.ReportMetric(l.rate(), l.name+"/s")
		if i > 0 {
			rate, cpu := l.to(r.lanes[0])
			r.b.ReportMetric(rate, l.name+":limit")
			r.b.ReportMetric(cpu, l.name+":limit-CPU")
		}
		r.b.ReportMetric(float64(l.here.CPU.Microseconds())/float64(l.count), l.name+"-device-µs")
		r.b.ReportMetric(float64(l.here.Allocated)/float64(l.count), l.name+"-device-B")
		if l.there != (usage{}) {
			r.b.ReportMetric(float64(l.there.CPU.Microseconds())/float64(l.count), l.name+"-cloud-µs")
			r.b.ReportMetric(float64(l.there.Allocated)/float64(l.count), l.name+"-cloud-B")
		}
		if l.name == "paho" {
			rate, _ := r.lanes[1].to(l)
			r.b.ReportMetric(rate, "boot:paho")
		}
	}
	r.b.ReportMetric(0, "ns/op") // of all together, which says nothing
}

func newRace(b *testing.B, w way, turns []turn) *race {
	if w.network == scenarios.NetworkMemory {
		return &race{b, []*lane{limitInMemory(b, turns), bootInMemory(b), runInMemory(b)}}
	}
	ours, bare := cloudProcess(b, w), limitProcess(b, w, turns)
	target := device.Target{Endpoint: ours.Address, IDScope: "0ne00002193", TLS: w.config(b, ours), Version: "bench"}
	devices := newBooter(target)
	devices.b = b
	lanes := []*lane{
		{name: "limit", cloud: bare.used, boots: func(n int) { bare.boot(b, limit{Turns: turns}, w.config(b, bare), n) }},
		{name: "boot", cloud: ours.used, boots: devices.boots},
		{name: "paho", cloud: ours.used, boots: func(n int) { devices.paho(n) }},
	}
	if !w.resumed {
		lanes = append(lanes, &lane{name: "run", cloud: ours.used, boots: func(n int) { devices.run(w, ours, n) }})
	}
	return &race{b, lanes}
}

// server is one in another process.
type server struct {
	*process
	place
	config *tls.Config
	trust  device.Trust // of the bare loop
}

func cloudProcess(b *testing.B, w way) *server {
	wanted := cloudAsked{Secure: w.version != 0}
	if w.webhook {
		wanted.Webhook = startWebhook(b)
	}
	s := new(server)
	s.process = startProcess(b, "cloud", wanted, &s.place)
	return s
}

func limitProcess(b *testing.B, w way, turns []turn) *server {
	s := new(server)
	s.process = startProcess(b, "limit", limit{w.version != 0, turns}, &s.place)
	return s
}

// config is what both sides' clients offer, sessions of their own to resume.
func (w way) config(b *testing.B, at *server) *tls.Config {
	if w.version == 0 || at.config != nil {
		return at.config
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(at.CA) {
		b.Fatal("the server has no authority")
	}
	at.config = device.TLS(roots)
	at.config.ServerName = hostOf(at.Address)
	at.config.MinVersion, at.config.MaxVersion = w.version, w.version
	if w.resumed {
		at.config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return at.config
}

// boot makes a limit's boots; the bare loop remembers chains as our devices do.
func (s *server) boot(b *testing.B, l limit, config *tls.Config, n int) {
	if config != nil {
		config = s.trust.Config(config, config.ServerName)
	}
	repeat(b, n, func() error {
		nc, err := net.Dial("tcp", s.Address)
		if err == nil {
			err = l.boot(nc, config)
		}
		return err
	})
}

// repeat calls do n times, bootAtOnce at a time, until one fails.
func repeat(b *testing.B, n int, do func() error) {
	var wg sync.WaitGroup
	var left, failed atomic.Int64
	left.Store(int64(n))
	for range bootAtOnce {
		wg.Go(func() {
			for left.Add(-1) >= 0 && failed.Load() == 0 {
				if err := do(); err != nil && failed.Add(1) == 1 {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		b.FailNow()
	}
}

// booter boots toasters that nobody has seen before.
type booter struct {
	b      *testing.B
	target device.Target
	kind   *device.Kind
	group  provisioning.Key
	last   atomic.Int64
}

func newBooter(target device.Target) *booter {
	kind, err := device.Models()["toaster"].Compile("toaster")
	if err != nil {
		fail(err)
	}
	if target.TLS != nil {
		target.ServerName, target.Trust = target.TLS.ServerName, new(device.Trust)
	}
	return &booter{target: target, kind: kind, group: benchKey()}
}

func (t *booter) next() device.Device {
	d, err := t.kind.Make(device.Number{Fleet: "toasters", N: int(t.last.Add(1)), Boot: 1, Seed: 1})
	if err != nil {
		fail(err)
	}
	d.Key, d.Until = t.group.Derive(d.ID), device.UntilAssigned
	return d
}

func (t *booter) boots(n int) { repeat(t.b, n, t.boot) }

func (t *booter) boot() error {
	var last device.Event
	d := t.next()
	d.Run(context.Background(), &t.target, time.Now(), func(e device.Event) { last = e })
	if last.Err != nil || last.To != device.Off {
		return fmt.Errorf("%s ended in %s: %w", last.Device, last.To, last.Err)
	}
	return nil
}

// run is a scenario's, with all that belongs to it but the log.
func (t *booter) run(w way, at *server, n int) {
	s := t.scenario(n)
	s.Cloud = nil
	s.Target = &scenarios.Target{DPS: at.Address, IDScope: t.target.IDScope, GroupKey: benchKey(), Hubs: []string{benchHub}, RootCAs: at.CA}
	if w.version == tls.VersionTLS12 {
		s.TLS.Max = "1.2"
	}
	t.play(s, scenarios.Env{Network: w.network, Version: "bench"})
}

func (t *booter) scenario(n int) scenarios.Scenario {
	s := benchScenario("")
	s.Fleets[0].Count, s.Fleets[0].Until = n, device.UntilAssigned
	s.Fleets[0].First = int(t.last.Add(int64(n))) - n + 1
	return s
}

func (t *booter) play(s scenarios.Scenario, env scenarios.Env) metrics.Report {
	r, err := scenarios.Run(context.Background(), s, env)
	if err != nil || !r.Passed() || r.Accounted != s.Fleets[0].Count {
		t.b.Fatal(err, r.Failures, r.Accounted)
	}
	return r
}

// nothing is the usage of a cloud that is in this process.
func nothing() usage { return usage{} }

func limitInMemory(b *testing.B, turns []turn) *lane {
	var memory memnet.Network
	listener, err := memory.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	bare := limit{Turns: turns}
	go bare.accept(listener)
	return &lane{name: "limit", cloud: nothing, boots: func(n int) {
		repeat(b, n, func() error {
			nc, err := memory.Dial(b.Context(), "tcp", listener.Addr().String())
			if err == nil {
				err = bare.boot(nc, nil)
			}
			return err
		})
	}}
}

func bootInMemory(b *testing.B) *lane {
	var memory memnet.Network
	config := benchScenario("").Config(benchKey(), nil)
	config.Listen, config.Observe.Off = memory.Listen, true
	cloud := startCloud(config)
	b.Cleanup(func() { cloud.Close() })
	devices := newBooter(device.Target{Endpoint: cloud.Addr(), IDScope: cloud.IDScope(), Dial: memory.Dial, Version: "bench"})
	devices.b = b
	return &lane{name: "boot", cloud: nothing, boots: devices.boots}
}

func runInMemory(b *testing.B) *lane {
	devices := booter{b: b}
	return &lane{name: "run", cloud: nothing, boots: func(n int) {
		devices.play(devices.scenario(n), scenarios.Env{Network: scenarios.NetworkMemory, Version: "bench"})
	}}
}
