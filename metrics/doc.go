// Package metrics turns what happened into what is reported. Two kinds of value
// come in, a [device.Event] from each device and a [provisioning.Exchange] from
// the cloud; a [Boot] for each boot, a line of the log and one [Report] come out:
//
//	Event, Exchange -> Boot -> summary, expectations, thresholds -> Report
//	                        -> the log, and from there the same way again
//
// Everything is a fold, so a run that is reported again from its log gives the
// numbers that it gave live. Times are cut to the microsecond as they enter,
// because that is what a line of the log holds.
//
// One goroutine owns a [Collector]; there is no lock inside. No data is a failed
// threshold and what cannot be seen is "not checked", never passed.
//
// The package must not know how devices are started, what a scenario file looks
// like or how the cloud works: it imports neither fleet nor scenarios nor the
// emulator, and it writes for no medium; [dpsfleet/metrics/report] does.
package metrics
