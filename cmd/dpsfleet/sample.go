package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
	"dpsfleet/provisioning/wording"
)

// sampleVersion is of the C SDK whose output the tutorial prints.
const sampleVersion = "1.8.0"

// sample prints a boot as prov_dev_client_sample of Microsoft's C SDK does. The
// sample's last line, a prompt for the enter key, is left out.
type sample struct {
	mu        sync.Mutex
	w         io.Writer
	connected bool
	over      bool // the registration is
	// function is the function's log until the device's own first lines are
	// out: the call comes before the answer that lets the device print them.
	function bytes.Buffer
}

func newSample(w io.Writer) *sample { return &sample{w: w} }

func (s *sample) begin() {
	fmt.Fprintf(s.w, "Provisioning API Version: %s\n\nRegistering Device\n\n", sampleVersion)
}

// heard prints a status for each answer that says assigning.
func (s *sample) heard(_ string, op provisioning.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connect()
	if op.Status == provisioning.Assigning {
		fmt.Fprintln(s.w, "Provisioning Status: PROV_DEVICE_REG_STATUS_ASSIGNING")
	}
	s.function.WriteTo(s.w)
}

func (s *sample) connect() {
	if !s.connected {
		fmt.Fprintln(s.w, "Provisioning Status: PROV_DEVICE_REG_STATUS_CONNECTED")
		s.connected = true
	}
}

func (s *sample) event(e device.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failure *device.Failure
	errors.As(e.Err, &failure)
	switch {
	case e.Assignment != nil && e.Assignment.Status == provisioning.Assigned:
		s.over = true
		s.assigned(e.Assignment)
	case e.To == device.Failed && !s.over:
		s.over = true
		s.failed(e, failure)
	case e.To == device.Failed:
		fmt.Fprintf(s.w, "At the hub: %s\n", wording.Printable(failure.Error()))
	case e.To == device.Waiting:
		fmt.Fprintf(s.w, "(waiting: %s)\n", wording.Printable(failure.Error()))
	case e.To == device.Online:
		fmt.Fprintf(s.w, "Initial twin, desired: %s\n", wording.PrintableLines(string(e.Desired)))
	}
}

func (s *sample) assigned(a *device.Assignment) {
	fmt.Fprintf(s.w, "\nRegistration Information received from service: %s, deviceId: %s\n", wording.Printable(a.Hub), wording.Printable(a.DeviceID))
	if len(a.Payload) > 0 {
		fmt.Fprintf(s.w, "Returned payload: %s\n", wording.PrintableLines(string(a.Payload)))
	}
}

func (s *sample) failed(e device.Event, failure *device.Failure) {
	if reachedDPS(failure) {
		s.connect()
	}
	if a := e.Assignment; a != nil && a.Status == provisioning.Failed {
		fmt.Fprintf(s.w, "Error: Provisioning Failure: OperationId: %s - Date: %s - Msg: %s\n",
			wording.Printable(a.OperationID), a.LastUpdated, wording.Printable(a.Message))
		fmt.Fprintln(s.w, "Error: Unable to process registration reply.")
		fmt.Fprintln(s.w, "Error: Failure retrieving data from the provisioning service")
	}
	result := string(failure.Result)
	if result == "" {
		result = string(failure.Outcome)
	}
	fmt.Fprintf(s.w, "\nFailure registering device: %s\n", result)
	fmt.Fprintf(s.w, "(%s: %s)\n", failure.Outcome, wording.Printable(failure.Error()))
}

// reachedDPS reports whether DPS answered, which the sample has called connected
// by then.
func reachedDPS(failure *device.Failure) bool {
	var refused *mqtt.RefusedError
	return failure.Code != 0 && !errors.As(failure, &refused)
}

// functionLog prints the allocation function's log beside the device's lines,
// set off from them.
func (s *sample) functionLog() io.Writer { return functionLines{s} }

type functionLines struct{ *sample }

func (f functionLines) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range strings.Lines(string(p)) {
		fmt.Fprintf(&f.function, "    function | %s", line)
	}
	if f.connected {
		f.function.WriteTo(f.w)
	}
	return len(p), nil
}
