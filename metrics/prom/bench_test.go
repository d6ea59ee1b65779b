//go:build unix

package prom_test

import (
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/prom"
	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

// BenchmarkRecording is what a boot costs of CPU, devices, cloud and webhook in one
// process, and what share of that is recording: the events of the same run are
// folded once more, alone, into all that there is. Recording is to cost less than
// 5 % over TLS.
func BenchmarkRecording(b *testing.B) {
	for _, network := range []scenarios.Network{scenarios.NetworkTLS, scenarios.NetworkMemory} {
		for _, with := range []string{"nothing", "log", "log,metrics"} {
			b.Run("over="+string(network)+"/with="+with, func(b *testing.B) {
				s := storm(b)
				var run, recording time.Duration
				boots := 0
				for b.Loop() {
					var heard tape
					folds, log := recorders(b, with)
					before := cpu(b)
					r := played(b, s, scenarios.Env{Network: network, LogPath: log, Folds: folds})
					run += cpu(b) - before
					boots += r.Due

					played(b, s, scenarios.Env{Network: network, Folds: []metrics.Fold{heard.fold()}})
					folds, log = recorders(b, with)
					recording += heard.play(b, folds, log)
				}
				b.ReportMetric(float64(run.Microseconds())/float64(boots), "cpu-µs/boot")
				b.ReportMetric(float64(recording.Microseconds())/float64(boots), "recording-µs/boot")
				b.ReportMetric(100*recording.Seconds()/run.Seconds(), "recording-%")
			})
		}
	}
}

// storm is a fleet that comes faster than a machine of two cores boots it.
func storm(b *testing.B) scenarios.Scenario {
	s, err := scenarios.Read("storm.yaml", []byte(`
name: storm
cloud:
  linkedHubs: [contoso-toasters-hub-1098.azure-devices.net]
  enrollmentGroups: {contoso-custom-allocated-devices: {policy: contoso}}
  answers: {register: 0s, allocate: 0s, retryAfter: 0s}
fleets:
  toasters: {model: toaster, count: 1500, arrive: constant 1500/s, expect: {hub: "*-toasters-*"}}
thresholds: [unexpected count == 0]
`), nil)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func recorders(b *testing.B, with string) (folds []metrics.Fold, log string) {
	if with != "nothing" {
		log = filepath.Join(b.TempDir(), "run.ndjson")
	}
	if with == "log,metrics" {
		folds = append(folds, prom.New().Fold())
	}
	return folds, log
}

// tape is all that flowed to the recorder of a run, in its order.
type tape struct {
	info metrics.RunInfo
	flow []any
}

func (r *tape) fold() metrics.Fold {
	return metrics.Fold{
		Start:    func(info metrics.RunInfo) { r.info = info },
		Event:    func(e *device.Event) { r.flow = append(r.flow, *e) },
		Exchange: func(x *provisioning.Exchange) { r.flow = append(r.flow, *x) },
	}
}

// play records once more, and returns what that took of CPU.
func (r *tape) play(b *testing.B, folds []metrics.Fold, path string) time.Duration {
	var log *metrics.Log
	var err error
	if path != "" {
		if log, err = metrics.CreateLog(path, r.info); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC() // what the run left is not recording's
	before := cpu(b)
	c, err := metrics.NewCollector(r.info, log, folds...)
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range r.flow {
		switch m := m.(type) {
		case device.Event:
			c.Event(m)
		case provisioning.Exchange:
			c.Exchange(m)
		}
	}
	now := r.info.Started.Add(time.Minute)
	c.Finish(now)
	report := c.Report(now, metrics.End{})
	took := cpu(b) - before
	if log != nil {
		if err := log.Close(report); err != nil {
			b.Fatal(err)
		}
	}
	return took
}

// cpu is what the process has used, the collection of garbage included.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
