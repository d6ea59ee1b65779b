package prom

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// Fold feeds the metrics from a run. Runs may follow one another: counters go on,
// the rest is the latest run's.
func (m *Metrics) Fold() metrics.Fold {
	f := &fold{m: m}
	return metrics.Fold{
		Start:    f.start,
		Exchange: func(x *provisioning.Exchange) { m.exchange(x) },
		Boot:     f.boot,
		Tick:     f.tick,
		End:      f.end,
	}
}

// fold is used by the recorder's goroutine alone.
type fold struct {
	m      *Metrics
	fleets map[string]*fleetSeries
	models map[string]bool
	judged time.Duration // when the thresholds last were, since the run's start
}

// fleetSeries are the series of one fleet, found once: to look them up costs more
// than to count.
type fleetSeries struct {
	name             string
	begun            prometheus.Counter
	missed           prometheus.Counter
	lateness         prometheus.Observer
	assigned, online prometheus.Observer
	stages           [len(metrics.Stages{})]prometheus.Observer
	gauges           [len(metrics.Stages{})]prometheus.Gauge
	boots            map[ending]prometheus.Counter
	lastDue          int
	lastIn           metrics.Stages
}

// ending is what tells boots of a fleet apart.
type ending struct {
	model, hub string
	outcome    device.Outcome
	code       provisioning.Code
}

func (f *fold) start(info metrics.RunInfo) {
	m := f.m
	m.known = newNames(info)
	f.fleets, f.models, f.judged = make(map[string]*fleetSeries), make(map[string]bool), 0
	for _, vec := range []*prometheus.GaugeVec{m.run.info, m.run.planned, m.run.devices, m.run.met} {
		vec.Reset()
	}
	m.run.info.WithLabelValues(info.Scenario, strconv.FormatUint(info.Seed, 10), info.Versions["dpsfleet"], info.Target).Set(1)
	for _, fleet := range info.Fleets {
		f.fleet(fleet.Name)
		m.run.planned.WithLabelValues(fleet.Name).Set(float64(fleet.Count))
	}
}

func (f *fold) fleet(name string) *fleetSeries {
	name = f.m.known.fleet(name)
	s := f.fleets[name]
	if s == nil {
		run := &f.m.run
		s = &fleetSeries{
			name:     name,
			begun:    run.begun.WithLabelValues(name),
			missed:   run.missed.WithLabelValues(name),
			lateness: run.lateness.WithLabelValues(name),
			assigned: run.assigned.WithLabelValues(name),
			online:   run.online.WithLabelValues(name),
			boots:    make(map[ending]prometheus.Counter),
		}
		f.fleets[name] = s
	}
	return s
}

// boot counts what the summary counts, and what it leaves out this does, too: the
// times of what never started.
func (f *fold) boot(b *metrics.Boot) {
	s := f.fleet(b.Fleet)
	f.ended(s, b).Inc()
	if !b.Met {
		s.missed.Inc()
	}
	if b.Outcome == device.OutcomeDropped {
		return
	}
	s.lateness.Observe(seconds(b.Lateness()))
	if took, ok := b.TimeToAssigned(); ok {
		s.assigned.Observe(seconds(took))
	}
	if took, ok := b.TimeToOnline(); ok {
		s.online.Observe(seconds(took))
	}
	in, was := b.InStages()
	for stage := device.Dialing; int(stage) < len(in); stage++ {
		if was[stage] {
			f.stage(s, stage).Observe(seconds(in[stage]))
		}
	}
}

// ended is the counter of boots that end as this one. Its hub is where it is: one
// that it was sent to and did not reach is not.
func (f *fold) ended(s *fleetSeries, b *metrics.Boot) prometheus.Counter {
	key := ending{model: f.model(b.Model), outcome: b.Outcome, code: b.Code}
	if b.Outcome == device.OutcomeAssigned || b.Outcome == device.OutcomeHubNotDeclared {
		key.hub = f.m.known.hub(b.Hub)
	}
	if key.code.Name() == "" && key.code != 0 {
		key.code = -1 // those without a name are one
	}
	if s.boots[key] == nil {
		s.boots[key] = f.m.run.boots.WithLabelValues(s.name, key.model, key.hub, outcome(key.outcome), code(key.code))
	}
	return s.boots[key]
}

// maxModels bounds the models of a log that nobody knows the scenario of.
const maxModels = 100

func (f *fold) model(name string) string {
	if f.models[name] {
		return name
	}
	if len(f.models) == maxModels {
		return other
	}
	f.models[name] = true
	return name
}

func (f *fold) stage(s *fleetSeries, stage device.Stage) prometheus.Observer {
	if s.stages[stage] == nil {
		s.stages[stage] = f.m.run.stages.WithLabelValues(s.name, stage.String())
	}
	return s.stages[stage]
}

// judgeEvery is how often thresholds are looked at; to look at them is not free.
const judgeEvery = time.Second

func (f *fold) tick(p metrics.Progress, c *metrics.Collector) {
	for i := range p.Fleets {
		at := &p.Fleets[i]
		s := f.fleet(at.Name)
		s.begun.Add(float64(max(0, at.Due-s.lastDue)))
		s.lastDue = at.Due
		f.count(s, &at.Stages)
	}
	if p.Elapsed-f.judged >= judgeEvery {
		f.judged = p.Elapsed
		f.judge(c.Thresholds(), false)
	}
}

func (f *fold) count(s *fleetSeries, in *metrics.Stages) {
	for stage, n := range in {
		if n == s.lastIn[stage] {
			continue
		}
		if s.gauges[stage] == nil {
			s.gauges[stage] = f.m.run.devices.WithLabelValues(s.name, device.Stage(stage).String())
		}
		s.gauges[stage].Set(float64(n))
	}
	s.lastIn = *in
}

// judge shows the thresholds. One without data is not met once the run is over,
// and before that says nothing.
func (f *fold) judge(results []metrics.ThresholdResult, over bool) {
	for _, r := range results {
		if r.NoData && !over {
			continue
		}
		met := 0.0
		if r.Met {
			met = 1
		}
		f.m.run.met.WithLabelValues(r.Threshold.String()).Set(met)
	}
}

func (f *fold) end(r metrics.Report) { f.judge(r.Thresholds, true) }

func seconds(m metrics.Millis) float64 { return m.Duration().Seconds() }
