package prom

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// other stands for all that nobody declared.
const other = "other"

// names are those that labels may hold. They do not change once exchanges come,
// which they do from many goroutines.
type names struct {
	hubs   map[string]string // by their lower case, as declared
	fleets map[string]bool
}

func newNames(info metrics.RunInfo) names {
	n := names{hubs: make(map[string]string), fleets: make(map[string]bool)}
	for _, hub := range info.Hubs {
		n.hubs[strings.ToLower(hub)] = hub
	}
	for _, fleet := range info.Fleets {
		n.fleets[fleet.Name] = true
	}
	return n
}

// hub is a hub as declared; none is "".
func (n names) hub(name string) string {
	if name == "" {
		return ""
	}
	if declared, ok := n.hubs[strings.ToLower(name)]; ok {
		return declared
	}
	return other
}

func (n names) fleet(name string) string {
	if n.fleets[name] {
		return name
	}
	return other
}

// code is the number of a code that has a name; none is "".
func code(c provisioning.Code) string {
	if c == 0 {
		return ""
	}
	if c.Name() == "" {
		return other
	}
	return strconv.Itoa(int(c))
}

// status is HTTP's, and "none" where no answer came.
func status(s int) string {
	if s == 0 {
		return "none"
	}
	if http.StatusText(s) == "" {
		return other
	}
	return strconv.Itoa(s)
}

func outcome(o device.Outcome) string {
	if slices.Contains(device.Outcomes(), o) {
		return string(o)
	}
	return other
}
