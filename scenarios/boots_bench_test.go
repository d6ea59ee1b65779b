//go:build unix

package scenarios_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/scenarios"
)

const (
	bootBatch  = 2000
	bootAtOnce = 200
)

// way is how devices and cloud are joined.
type way struct {
	Name    string
	Network scenarios.Network
	Version uint16 // of TLS; 0 is none
	Resumed bool
	Webhook bool // allocates, in a third process
}

// BenchmarkBoot is boots a second to assigned, by static allocation and without a
// wait, where the machine is the limit. What is compared takes turns of 2,000 boots or
// 4,000, 200 at a time, but for those of run, which are all due at once; each is a
// process of its own, and so is the cloud. What one boot costs is in CPU and bytes
// allocated, of the devices' process and of the cloud's.
func BenchmarkBoot(b *testing.B) {
	turns := bootTurns()
	for _, w := range []way{
		{Name: "tls13", Network: scenarios.NetworkTLS, Version: tls.VersionTLS13},
		{Name: "tls12", Network: scenarios.NetworkTLS, Version: tls.VersionTLS12},
		{Name: "tls12resumed", Network: scenarios.NetworkTLS, Version: tls.VersionTLS12, Resumed: true},
		{Name: "plain", Network: scenarios.NetworkTCP},
		{Name: "plainWebhook", Network: scenarios.NetworkTCP, Webhook: true},
		{Name: "memory", Network: scenarios.NetworkMemory},
	} {
		b.Run(w.Name, func(b *testing.B) {
			race := newRace(b, w, turns)
			race.warmUp()
			for b.Loop() {
				race.round()
			}
			race.report()
		})
	}
}

// The lanes of BenchmarkBoot. All collect as run and emulate do
// (scenarios.CollectLess), but for Paho's client, which is measured in a program that
// leaves Go's collector as it is, too.
const (
	laneLimit    = "limit"    // a bare loop with the same handshake, and as many bytes and round trips
	laneBoot     = "boot"     // our devices alone
	lanePaho     = "paho"     // Paho's full client
	lanePahoLess = "pahoLess" // the same, collecting less
	laneRun      = "run"      // the whole program with its recorder
)

// lanes are those of a way: Paho's client is compared over sockets, and the devices of
// a run resume no other's session.
func (w way) lanes() []string {
	lanes := []string{laneLimit, laneBoot}
	if w.Network != scenarios.NetworkMemory {
		lanes = append(lanes, lanePaho, lanePahoLess)
	}
	if !w.Resumed {
		lanes = append(lanes, laneRun)
	}
	return lanes
}

// batch is how many boots a turn has. At both ends of it fewer are under way, which
// tells most where boots are fast.
func (w way) batch() int {
	if w.Version == 0 {
		return 2 * bootBatch
	}
	return bootBatch
}

// race is what BenchmarkBoot compares, and how far each has come.
type race struct {
	b     *testing.B
	batch int
	lanes []*lane
}

// lane is one of those that are compared.
type lane struct {
	name           string
	devices, cloud *process // cloud is nil where it is in the devices' process

	count  int
	here   usage       // of the devices' process
	there  usage       // of the cloud's
	rounds []laneRound // for ratios, which lanes have round by round
}

// laneRound is a lane's boots a second in a round, and what one took of both sides.
type laneRound struct{ rate, cpu float64 }

func newRace(b *testing.B, w way, turns []turn) *race {
	r := &race{b: b, batch: w.batch()}
	var ours, bare *server
	if w.Network != scenarios.NetworkMemory {
		ours, bare = cloudProcess(b, w), startServer(b, "limit", limit{w.Version != 0, turns})
	}
	for _, name := range w.lanes() {
		cloud := ours
		if name == laneLimit {
			cloud = bare
		}
		asked := laneAsked{Lane: name, Way: w, Turns: turns}
		l := &lane{name: name}
		if cloud != nil {
			asked.Cloud, l.cloud = cloud.place, cloud.process
		}
		l.devices = startProcess(b, "lane", asked, new(usage))
		r.lanes = append(r.lanes, l)
	}
	return r
}

// warmUp is a turn of each that is not counted: heaps and stacks grow in it.
func (r *race) warmUp() {
	for _, l := range r.lanes {
		l.devices.boots(r.batch)
	}
}

func (r *race) round() {
	for _, l := range r.lanes {
		here, there, began := l.devices.used(), l.cloud.used(), time.Now()
		l.devices.boots(r.batch)
		took, here, there := time.Since(began), l.devices.used().since(here), l.cloud.used().since(there)
		l.rounds = append(l.rounds, laneRound{float64(r.batch) / took.Seconds(), (here.CPU + there.CPU).Seconds() / float64(r.batch)})
		l.here, l.there = l.here.and(here), l.there.and(there)
		l.count += r.batch
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
		if strings.HasPrefix(l.name, "paho") {
			rate, _ := r.lanes[1].to(l)
			r.b.ReportMetric(rate, "boot:"+l.name)
		}
	}
	r.b.ReportMetric(0, "ns/op") // of all together, which says nothing
}

// laneAsked is what a lane's process is to boot.
type laneAsked struct {
	Lane  string
	Way   way
	Cloud place  // where it is, but in memory
	Turns []turn // of laneLimit
}

// serveLane boots as many devices as each line says.
func serveLane() {
	var asked laneAsked
	readAsked(&asked)
	if asked.Lane != lanePaho {
		defer scenarios.CollectLess(0)()
	}
	boots := asked.boots()
	say(usedHere())
	serveLines(func(line string) {
		if n, err := strconv.Atoi(line); err == nil {
			if err := boots(n); err != nil {
				fail(fmt.Errorf("%s: %w", asked.Lane, err))
			}
		}
	})
}

// boots makes what boots so many devices, from the next on.
func (a laneAsked) boots() func(n int) error {
	if a.Way.Network == scenarios.NetworkMemory {
		return a.bootsInMemory()
	}
	if a.Lane == laneLimit {
		return limit{Turns: a.Turns}.boots(a.Cloud.Address, a.Way.offer(a.Cloud))
	}
	devices := newBooter(a.Way.target(a.Cloud))
	devices.last.Store(int64(slices.Index(a.Way.lanes(), a.Lane)) << 20) // devices that no other lane has
	switch a.Lane {
	case laneBoot:
		return devices.boots
	case laneRun:
		return func(n int) error { return devices.run(a.Way, a.Cloud, n) }
	}
	return devices.paho
}

func (a laneAsked) bootsInMemory() func(n int) error {
	switch a.Lane {
	case laneLimit:
		return limitInMemory(a.Turns)
	case laneBoot:
		return bootInMemory()
	}
	var devices booter
	return func(n int) error {
		return play(devices.scenario(n), scenarios.Env{Network: a.Way.Network, Version: "bench"})
	}
}

// server is one in another process.
type server struct {
	*process
	place
}

func startServer(b *testing.B, role string, asked any) *server {
	s := new(server)
	s.process = startProcess(b, role, asked, &s.place)
	return s
}

func cloudProcess(b *testing.B, w way) *server {
	wanted := cloudAsked{Secure: w.Version != 0}
	if w.Webhook {
		wanted.Webhook = startWebhook(b)
	}
	return startServer(b, "cloud", wanted)
}

// target is a cloud of ours, as devices meet it.
func (w way) target(at place) device.Target {
	return device.Target{Endpoint: at.Address, IDScope: "0ne00002193", TLS: w.offer(at), Version: "bench"}
}

// offer is what a client offers, with sessions of its own to resume; nil is no TLS.
func (w way) offer(at place) *tls.Config {
	if w.Version == 0 {
		return nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(at.CA) {
		fail(errors.New("the server has no authority"))
	}
	config := device.TLS(roots)
	config.ServerName = hostOf(at.Address)
	config.MinVersion, config.MaxVersion = w.Version, w.Version
	if w.Resumed {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return config
}

// repeat calls do n times, bootAtOnce at a time, until one fails.
func repeat(n int, do func() error) error {
	var wg sync.WaitGroup
	var left atomic.Int64
	var failed atomic.Pointer[error]
	left.Store(int64(n))
	for range bootAtOnce {
		wg.Go(func() {
			for left.Add(-1) >= 0 && failed.Load() == nil {
				if err := do(); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// booter boots toasters that nobody has seen before.
type booter struct {
	target device.Target
	kind   *device.Kind
	group  *provisioning.Deriver
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
	return &booter{target: target, kind: kind, group: provisioning.NewDeriver(benchKey())}
}

func (t *booter) next() device.Device {
	d, err := t.kind.Make(device.Number{Fleet: "toasters", N: int(t.last.Add(1)), Boot: 1, Seed: 1})
	if err != nil {
		fail(err)
	}
	d.Key, d.Until = t.group.Derive(d.ID), device.UntilAssigned
	return d
}

// boots boots n of them with a context that can end, as a run's can.
func (t *booter) boots(n int) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	return repeat(n, func() error { return t.boot(ctx) })
}

func (t *booter) boot(ctx context.Context) error {
	var last device.Event
	d := t.next()
	d.Run(ctx, &t.target, time.Now(), func(e device.Event) { last = e })
	if last.Err != nil || last.To != device.Off {
		return fmt.Errorf("%s ended in %s: %w", last.Device, last.To, last.Err)
	}
	return nil
}

// run is a scenario's, with all that belongs to it but the log.
func (t *booter) run(w way, at place, n int) error {
	s := t.scenario(n)
	s.Cloud = nil
	s.Target = &scenarios.Target{DPS: at.Address, IDScope: t.target.IDScope, GroupKey: benchKey(), Hubs: []string{benchHub}, RootCAs: at.CA}
	if w.Version == tls.VersionTLS12 {
		s.TLS.Max = "1.2"
	}
	return play(s, scenarios.Env{Network: w.Network, Version: "bench"})
}

func (t *booter) scenario(n int) scenarios.Scenario {
	s := benchScenario("")
	s.Fleets[0].Count, s.Fleets[0].Until = n, device.UntilAssigned
	s.Fleets[0].First = int(t.last.Add(int64(n))) - n + 1
	return s
}

func play(s scenarios.Scenario, env scenarios.Env) error {
	r, err := scenarios.Run(context.Background(), s, env)
	if err == nil && (!r.Passed() || r.Accounted != s.Fleets[0].Count) {
		err = fmt.Errorf("%d accounted for, %v", r.Accounted, r.Failures)
	}
	return err
}

func limitInMemory(turns []turn) func(n int) error {
	var memory memnet.Network
	listener, err := memory.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	bare := limit{Turns: turns}
	go bare.accept(listener)
	return func(n int) error {
		return repeat(n, func() error {
			nc, err := memory.Dial(context.Background(), "tcp", listener.Addr().String())
			if err == nil {
				err = bare.boot(nc, nil)
			}
			return err
		})
	}
}

func bootInMemory() func(n int) error {
	var memory memnet.Network
	config := benchScenario("").Config(benchKey(), nil)
	config.Listen, config.Observe.Off = memory.Listen, true
	cloud := startCloud(config)
	return newBooter(device.Target{Endpoint: cloud.Addr(), IDScope: cloud.IDScope(), Dial: memory.Dial, Version: "bench"}).boots
}
