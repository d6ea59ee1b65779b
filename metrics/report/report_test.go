package report_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
	"dpsfleet/provisioning"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

var start = time.Date(2026, 11, 22, 21, 4, 0, 0, time.UTC)

const (
	toastersHub  = "contoso-toasters-hub-1098.azure-devices.net"
	heatpumpsHub = "contoso-heatpumps-hub-1098.azure-devices.net"
)

func ms(n int64) metrics.Millis { return metrics.Millis(time.Duration(n) * time.Millisecond) }

// boot is a boot that ended in hub, or with a code where there is none.
func boot(fleet, id, hub string) metrics.Boot {
	b := metrics.Boot{
		ID: id, DeviceID: id, Fleet: fleet, Model: fleet, Boot: 1, Due: start, Polls: 2,
		Stages: []metrics.StageTime{
			{Stage: device.Off, Took: ms(3)},
			{Stage: device.Dialing, Took: ms(1)},
			{Stage: device.Securing, Took: ms(9)},
			{Stage: device.Registering, Took: ms(54)},
			{Stage: device.Assigning, Took: ms(6000)},
		},
		Outcome: device.OutcomeFailed, Verdict: provisioning.Failed, Code: provisioning.CustomAllocationFailed,
		Error: "Custom allocation failed with status code: 400", OperationID: "op-" + id,
	}
	if hub == "" {
		b.DeviceID = ""
		return b
	}
	b.Outcome, b.Verdict, b.Hub, b.Code, b.Error = device.OutcomeAssigned, provisioning.Assigned, hub, 0, ""
	b.Substatus = provisioning.InitialAssignment
	b.Desired = json.RawMessage(`{"state":"ready","darknessSetting":"medium","$version":1}`)
	b.Stages = append(b.Stages, metrics.StageTime{Stage: device.Joining, Took: ms(20)}, metrics.StageTime{Stage: device.Twinning, Took: ms(5)})
	return b
}

func send(c *metrics.Collector, b metrics.Boot, cloud provisioning.RegistrationState) {
	events := b.Events()
	last := len(events) - 1
	for _, e := range events[:last] {
		c.Event(e)
	}
	for _, x := range b.Exchanges() {
		c.Exchange(x)
	}
	c.Exchange(provisioning.Exchange{Kind: provisioning.ExchangeVerdict, RegistrationID: b.ID, OperationID: b.OperationID, State: &cloud})
	c.Event(events[last])
}

func sendSame(c *metrics.Collector, b metrics.Boot) {
	send(c, b, provisioning.RegistrationState{Status: b.Verdict, AssignedHub: b.Hub, ErrorCode: b.Code})
}

func contoso(t *testing.T, ours bool) *metrics.Collector {
	t.Helper()
	info := metrics.RunInfo{Scenario: "contoso-mixed", Seed: 7, Ours: ours, Started: start, Fleets: []metrics.Fleet{
		{Name: "toasters", Expect: metrics.Expectations{{Hub: "*-toasters-*", Share: ">= 99%", Tags: json.RawMessage(`{"deviceType":"toaster"}`)}}},
		{Name: "heatpumps", Expect: metrics.Expectations{{Hub: "*-heatpumps-*"}}},
		{Name: "strangers", Expect: metrics.Expectations{{Code: metrics.ExpectedCode(provisioning.CustomAllocationFailed)}}},
	}}
	for _, text := range []string{"time_to_assigned p(95) < 8s", "unexpected == 0", "lateness p(99) < 250ms"} {
		threshold, err := metrics.ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		info.Thresholds = append(info.Thresholds, threshold)
	}
	c, err := metrics.NewCollector(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func contosoBoots(c *metrics.Collector) {
	for i := range 700 {
		b := boot("toasters", fmt.Sprintf("breakroom%03d-contoso-tstrsd-007", i), toastersHub)
		b.Tags = json.RawMessage(`{"deviceType":"toaster"}`)
		sendSame(c, b)
	}
	for i := range 290 {
		sendSame(c, boot("heatpumps", fmt.Sprintf("mainbuilding%03d-contoso-hpsd-088", i), heatpumpsHub))
	}
	for i := range 10 {
		sendSame(c, boot("strangers", fmt.Sprintf("doorbell%d", i), ""))
	}
}

func terminal(t *testing.T, r metrics.Report, opts report.Options) string {
	t.Helper()
	var b strings.Builder
	if err := report.Terminal(&b, r, opts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSummaryOfARunThatPasses(t *testing.T) {
	c := contoso(t, true)
	contosoBoots(c)
	r := c.Report(start.Add(18300*time.Millisecond), metrics.End{Due: 1000})
	r.Log = "contoso-mixed-20261122T210400Z.ndjson"
	golden(t, "pass.txt", terminal(t, r, report.Options{}))
	golden(t, "pass-color.txt", terminal(t, r, report.Options{Color: true, Width: 80}))
}

func failing(t *testing.T) metrics.Report {
	c := contoso(t, false)
	contosoBoots(c)
	for i := range 12 {
		b := boot("toasters", fmt.Sprintf("late%02d", i), fmt.Sprintf("evil-hub-%02d\x1b[2J\u202e", i))
		b.Stages[4].Took = ms(9000)
		b.Stages[0].Took = ms(1500)
		sendSame(c, b)
	}
	sendSame(c, metrics.Boot{ID: "dropped", Fleet: "heatpumps", Boot: 1, Due: start, Outcome: device.OutcomeDropped})
	return c.Report(start.Add(18300*time.Millisecond), metrics.End{
		Due: 1014, Stopped: "stopped after 18 s", Notes: []string{"the log ends before the run did: no space left on device"},
	})
}

func TestSummaryOfARunThatFails(t *testing.T) {
	r := failing(t)
	r.Run.Unverified = true
	r.Run.Reconciliation = metrics.Reconciliation{
		Checked: true, Assigned: 1, Disabled: 2, NeverTold: 3, Differing: 1,
		Differences: []metrics.Difference{{ID: "a\nb", Device: "assigned to x", Cloud: "nothing"}},
	}
	golden(t, "fail.txt", terminal(t, r, report.Options{}))
}

func TestNothingFromTheWireSteersTheTerminal(t *testing.T) {
	hostile := "\x1b]0;owned\a\r\x00\u202e\u200b"
	r := failing(t)
	r.Failures = append(r.Failures, hostile)
	r.Run.Notes = append(r.Run.Notes, hostile)
	b := boot(hostile, hostile, hostile)
	b.Error, b.Unmet, b.Expected = hostile, hostile, hostile
	b.Stages[1].Why = hostile
	b.Payload = json.RawMessage(`"` + hostile + `"`)
	b.Allocations = []metrics.Allocation{{Hub: hostile, Err: hostile, Request: hostile, Response: hostile}}
	var page strings.Builder
	if err := report.Explain(&page, b, metrics.RunInfo{Ours: true}, report.Options{}); err != nil {
		t.Fatal(err)
	}
	p := metrics.Progress{Fleets: []metrics.FleetProgress{{Name: hostile}, {Name: hostile}}}
	for _, text := range []string{terminal(t, r, report.Options{}), page.String(), report.Progress(p, report.Options{})} {
		for _, c := range text {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Errorf("%q got through in %q", c, text)
				break
			}
		}
	}
}

func TestJSONIsTheWholeReport(t *testing.T) {
	r := failing(t)
	var b strings.Builder
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Run struct {
			Verdict  string
			ExitCode int
		}
		Accounted  int
		Thresholds []struct{ Threshold, Text string }
	}
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	if back.Run.Verdict != "FAIL  GENERATOR-LIMITED" || back.Run.ExitCode != 4 || back.Accounted != 1013 || back.Thresholds[0].Threshold != "time_to_assigned p(95) < 8s" {
		t.Errorf("%+v", back)
	}
}

func TestExplain(t *testing.T) {
	b := boot("strangers", "doorbell7", "")
	b.Retries = 1
	b.Stages = append([]metrics.StageTime{
		{Stage: device.Off, Took: ms(3)},
		{Stage: device.Dialing, Took: ms(4), Why: "dial: connection refused"},
		{Stage: device.Waiting, Took: ms(1100)},
	}, b.Stages[1:]...)
	b.Result = provisioning.ResultDevAuthError
	b.Sent = json.RawMessage(`{"modelId":"doorbell"}`)
	b.Expected, b.Unmet = "assigned", "it ended failed with 400207 CustomAllocationFailed, not assigned"
	b.Allocations = []metrics.Allocation{{
		Attempt: 1, At: ms(1200), Took: ms(227), Status: 400,
		Request: `{"deviceRuntimeContext":{"registrationId":"doorbell7"}}`, Response: "Unrecognized device registration.",
	}}
	var page strings.Builder
	if err := report.Explain(&page, b, metrics.RunInfo{Ours: true}, report.Options{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "explain.txt", page.String())
}

func TestLifeOnOneLine(t *testing.T) {
	want := "3ms → dialing; 1ms → securing; 9ms → registering; 54ms → assigning; 6.0s → joining; 20ms → twinning; 5ms → online"
	if got := report.Life(boot("toasters", "a", toastersHub)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestProgressLine(t *testing.T) {
	p := metrics.Progress{Elapsed: 12345 * time.Millisecond, Planned: 1000, Ended: 700, Unexpected: 1, Recent: 58.3, Left: 5100 * time.Millisecond}
	p.Stages[device.Dialing], p.Stages[device.Assigning] = 3, 240
	want := "12s  700 of 1,000 booted  58/s  about 5s left  1 unexpected  dialing 3 · assigning 240"
	if got := report.Progress(p, report.Options{}); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	p.Direct = true
	if got := report.Progress(p, report.Options{}); !strings.HasPrefix(got, "12s  700 of 1,000 called  58/s") {
		t.Errorf("of stress %q", got)
	}
	if got := report.Progress(p, report.Options{Width: 10}); got != "12s  700 …" {
		t.Errorf("cut to %q", got)
	}
}

func TestDisplay(t *testing.T) {
	p := metrics.Progress{Elapsed: 75 * time.Second, Planned: 1000, Ended: 700, Recent: 58.3, Left: 5100 * time.Millisecond}
	p.Stages[device.Assigning] = 240
	p.Fleets = []metrics.FleetProgress{{Name: "toasters", Planned: 700, Ended: 600, Unexpected: 2}, {Name: "pumps\x1b", Planned: 300, Ended: 100}}
	want := []string{
		"━━━━━━━━━━━━━━━━┄┄┄┄┄┄┄┄  1m 15s  700 of 1,000 booted  58/s  about 5s left",
		"assigning 240",
		"toasters   600/700  2 unexpected",
		`pumps\x1b  100/300`,
	}
	if got := report.Display(p, report.Options{}); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if got := report.Display(p, report.Options{Width: 60})[0]; got != "1m 15s  700 of 1,000 booted  58/s  about 5s left" {
		t.Errorf("in a narrow window %q", got)
	}
	for _, line := range report.Display(p, report.Options{Width: 20, Color: true}) {
		if n := report.Visible(line); n > 20 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed pipe") }

func TestClosedPipeIsAnError(t *testing.T) {
	if report.Terminal(closed{}, metrics.Report{}, report.Options{}) == nil || report.JSON(closed{}, metrics.Report{}) == nil ||
		report.Explain(closed{}, metrics.Boot{}, metrics.RunInfo{}, report.Options{}) == nil {
		t.Error("a failure to write was lost")
	}
}

func ExampleTerminal() {
	c, err := metrics.NewCollector(metrics.RunInfo{Scenario: "contoso", Seed: 7, Started: start, Fleets: []metrics.Fleet{{Name: "toasters"}}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	sendSame(c, boot("toasters", "breakroom499-contoso-tstrsd-007", toastersHub))
	report.Terminal(os.Stdout, c.Report(start.Add(7*time.Second), metrics.End{Due: 1}), report.Options{})
	// Output:
	// PASS  VALID  1 due, 1 accounted for, 0 dropped   7.0s   seed 7
	// fleet     due  assigned  where
	// toasters    1         1  ✓ contoso-toasters-hub-1098.azure-devices.net
	// time to assigned  p50 6.1s p90 6.1s p95 6.1s p99 6.1s max 6.1s  (dial 1ms, tls 9ms, register 54ms, assigning 6.0s)
	// - devices and cloud: not checked
}
