package prom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// runFamilies are the metrics of a run.
type runFamilies struct {
	info     *prometheus.GaugeVec
	planned  *prometheus.GaugeVec
	begun    *prometheus.CounterVec
	boots    *prometheus.CounterVec
	missed   *prometheus.CounterVec
	devices  *prometheus.GaugeVec
	stages   *prometheus.HistogramVec
	assigned *prometheus.HistogramVec
	online   *prometheus.HistogramVec
	lateness *prometheus.HistogramVec
	met      *prometheus.GaugeVec
}

func newRunFamilies() runFamilies {
	return runFamilies{
		info:     gauge("run_info", "The run that is on: always 1.", "scenario", "seed", "version", "target"),
		planned:  gauge("boots_planned", "Boots that the scenario has.", "fleet"),
		begun:    counter("boots_begun_total", "Boots that began, dropped ones among them.", "fleet"),
		boots:    counter("boots_total", "Boots that ended, by where and how.", "fleet", "model", "hub", "outcome", "code"),
		missed:   counter("unexpected_total", "Boots that met no expectation of their fleet.", "fleet"),
		devices:  gauge("devices", "Devices in each stage now.", "fleet", "stage"),
		stages:   histogram("stage_duration_seconds", "How long boots that ended were in each stage, all their visits together.", bootBuckets(), "fleet", "stage"),
		assigned: histogram("time_to_assigned_seconds", "From when a boot was due to when the device heard its hub.", bootBuckets(), "fleet"),
		online:   histogram("time_to_online_seconds", "From when a boot was due to when the device was at its hub with its twin.", bootBuckets(), "fleet"),
		lateness: histogram("lateness_seconds", "How long after they were due boots started.", latenessBuckets(), "fleet"),
		met:      gauge("threshold_met", "1 while a threshold is met, 0 while it is not; missing while there is nothing to judge by.", "threshold"),
	}
}

func (f *runFamilies) register(r *prometheus.Registry) {
	r.MustRegister(f.info, f.planned, f.begun, f.boots, f.missed, f.devices, f.stages, f.assigned, f.online, f.lateness, f.met)
}

// cloudFamilies are the metrics of what a cloud or a webhook serves.
type cloudFamilies struct {
	requests      *prometheus.CounterVec
	took          *prometheus.HistogramVec
	exchanges     *prometheus.CounterVec
	answering     *prometheus.HistogramVec
	registrations *prometheus.CounterVec
}

func newCloudFamilies() cloudFamilies {
	return cloudFamilies{
		requests:      counter("webhook_requests_total", "Calls of the allocation webhook, by the status of the answer.", "status"),
		took:          histogram("webhook_duration_seconds", "How long the allocation webhook took.", webhookBuckets()),
		exchanges:     counter("emulator_exchanges_total", "What DPS and the hubs served, by kind and status.", "kind", "status"),
		answering:     histogram("emulator_exchange_duration_seconds", "How long DPS and the hubs took, their pauses included.", webhookBuckets(), "kind"),
		registrations: counter("emulator_registrations_total", "Verdicts of DPS, by where and how.", "hub", "outcome", "code"),
	}
}

func (f *cloudFamilies) register(r *prometheus.Registry) {
	r.MustRegister(f.requests, f.took, f.exchanges, f.answering, f.registrations)
}

const namespace = "dpsfleet"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// histogram is a classic and a native histogram in one: Prometheus takes the
// native one if it scrapes those, and 2.42 drops the classic buckets then.
func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

// bootBuckets are finest where the tutorial's devices are: two polls of 3 s.
func bootBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 60, 120, 300, 600}
}

func latenessBuckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
}

// webhookBuckets go to the 230 s after which Azure's load balancer gives up on a
// function (Azure Functions HTTP trigger, "Limits").
func webhookBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 230}
}
