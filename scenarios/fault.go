package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// FaultAction is what a fault does.
type FaultAction struct {
	// Status answers with this HTTP status instead of the webhook.
	Status int
}

// ParseFaultAction reads "status 503".
func ParseFaultAction(text string) (FaultAction, error) {
	word, rest, _ := strings.Cut(text, " ")
	status, err := strconv.Atoi(rest)
	if word != "status" || err != nil || status < 200 || status > 599 {
		return FaultAction{}, fmt.Errorf("%.40q is not a fault; status and a number from 200 to 599 is", text)
	}
	return FaultAction{Status: status}, nil
}

// String is the action's text.
func (a FaultAction) String() string { return "status " + strconv.Itoa(a.Status) }

// UnmarshalText is ParseFaultAction.
func (a *FaultAction) UnmarshalText(text []byte) (err error) {
	*a, err = ParseFaultAction(string(text))
	return err
}

// faults are a scenario's as they happen.
type faults struct {
	rows  []*faultRow
	began atomic.Pointer[time.Time]
}

type faultRow struct {
	Fault
	number  int
	devices map[string]bool // nil is all
	touched atomic.Int64
}

func newFaults(s Scenario) *faults {
	f := &faults{}
	for i, fault := range s.Faults {
		f.rows = append(f.rows, &faultRow{Fault: fault, number: i + 1, devices: s.devicesOf(fault.Fleets)})
	}
	return f
}

// devicesOf are the registration ids of some fleets; nil for none.
func (s Scenario) devicesOf(fleets []string) map[string]bool {
	if len(fleets) == 0 {
		return nil
	}
	ids := make(map[string]bool)
	for _, f := range s.Fleets {
		kind, err := f.compile(s.Models)
		if err != nil || !slices.Contains(fleets, f.Name) {
			continue
		}
		for i := range f.Count {
			id, _ := kind.ID(device.Number{Fleet: f.Name, N: f.first() + i, Boot: 1, Seed: s.Seed})
			ids[provisioning.SameID(id)] = true
		}
	}
	return ids
}

// start is when the run begins, from which windows count.
func (f *faults) start(now time.Time) { f.began.Store(&now) }

// transport puts the faults in front of the webhook.
func (f *faults) transport(next http.RoundTripper) http.RoundTripper {
	if len(f.rows) == 0 {
		return next
	}
	return allocation.Instead(next, f.status)
}

// status is what a call for a device is answered with, 0 for the webhook's own.
func (f *faults) status(registrationID string) int {
	began := f.began.Load()
	if began == nil {
		return 0
	}
	at := time.Since(*began)
	for _, row := range f.rows {
		if row.hits(registrationID, at) {
			row.touched.Add(1)
			return row.Do.Status
		}
	}
	return 0
}

func (r *faultRow) hits(registrationID string, at time.Duration) bool {
	if r.During != nil && (at < r.During.From || at >= r.During.To) {
		return false
	}
	return r.devices == nil || r.devices[provisioning.SameID(registrationID)]
}

// untouched says which faults touched nothing: a run that shows nothing of what
// it was made to show has failed.
func (f *faults) untouched() []string {
	var out []string
	for _, row := range f.rows {
		if row.touched.Load() == 0 {
			out = append(out, fmt.Sprintf("fault %d (%s at the %s) touched nothing", row.number, row.Do, row.At))
		}
	}
	return out
}
