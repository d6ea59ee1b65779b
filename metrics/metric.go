package metrics

import "dpsfleet/device"

// metric is a quantity that boots have a distribution of.
type metric int

const (
	metricTimeToAssigned metric = iota
	metricTimeToOnline
	metricLateness
	metricDial
	metricTLS // a handshake in full
	metricTLSResumed
	metricRegister
	metricAssigning
	metricJoin // with a handshake in full, if with any
	metricJoinResumed
	metricTwin
	metricWaiting
	metricWebhook
	metricPolls // from here on they are counts
	metricRetries
	metricCount
)

// Counters are metrics beside those: they have a count and a share alone. Each
// outcome is one, too.
const (
	counterBoots      = "boots"
	counterUnexpected = "unexpected"
)

// String is the metric's name in thresholds.
func (m metric) String() string {
	return [metricCount]string{
		"time_to_assigned", "time_to_online", "lateness", "dial", "tls", "tls_resumed", "register", "assigning",
		"join", "join_resumed", "twin", "waiting", "webhook", "polls", "retries",
	}[m]
}

func (m metric) duration() bool { return m < metricPolls }

func stageMetric(s device.Stage) (metric, bool) {
	switch s {
	case device.Dialing:
		return metricDial, true
	case device.Securing:
		return metricTLS, true
	case device.Registering:
		return metricRegister, true
	case device.Assigning:
		return metricAssigning, true
	case device.Joining:
		return metricJoin, true
	case device.Twinning:
		return metricTwin, true
	case device.Waiting:
		return metricWaiting, true
	}
	return 0, false
}

// resumedMetric is the metric of a stage whose handshake took up a session, which
// is another thing than one in full.
func resumedMetric(s device.Stage) metric {
	if s == device.Joining {
		return metricJoinResumed
	}
	return metricTLSResumed
}

func metricNamed(name string) (metric, bool) {
	for m := range metricCount {
		if m.String() == name {
			return m, true
		}
	}
	return 0, false
}

// metricNames are all of them, counters and outcomes included, in the order in
// which an error lists them.
func metricNames() []string {
	names := make([]string, 0, 32)
	for m := range metricCount {
		names = append(names, m.String())
	}
	names = append(names, counterBoots, counterUnexpected)
	for _, o := range device.Outcomes() {
		names = append(names, string(o))
	}
	return names
}
