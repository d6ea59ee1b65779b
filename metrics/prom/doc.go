// Package prom shows a run, a cloud or a webhook to Prometheus while it goes on:
// the folds of package metrics once more, as counters, gauges and histograms that
// are scraped. Their names are kept as flags are. Beside the classic buckets, which
// the dashboards in this folder use, each histogram is a native one as well, for a
// Prometheus that asks for it.
//
// Labels are bounded: hubs are those that the run declares, codes those that have a
// name, fleets and models the scenario's; all else is "other". No label ever holds
// a device or an error.
//
// The package must not know how devices are started or how the cloud works: it is
// handed events and exchanges, and serves HTTP to whoever mounts its handler.
package prom
