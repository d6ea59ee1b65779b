package scenarios_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

func shipped(t *testing.T, name string) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.ReadShipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, text string) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Read("test.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small is a shipped scenario of at most 50 devices: more in a bubble crash the
// race detector (golang/go#78156).
func small(t *testing.T, name string) scenarios.Scenario {
	s := shipped(t, name)
	n := 0
	for _, f := range s.Fleets {
		n += f.Count
	}
	if n > 50 {
		s = s.Scaled(50 / float64(n) * 0.9)
	}
	return s
}

// inMemory plays a scenario in the bubble that it is called in.
func inMemory(t *testing.T, ctx context.Context, s scenarios.Scenario, log string) metrics.Report {
	t.Helper()
	r, err := scenarios.Run(ctx, s, scenarios.Env{Network: scenarios.NetworkMemory, Version: "test", LogPath: log})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every shipped scenario ends as it says it does, on any machine and under the
// race detector.
func TestShippedScenariosPass(t *testing.T) {
	for _, name := range scenarios.Shipped() {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), name+".ndjson")
			if name == "contoso-x509" { // certificates need TLS
				passes(t, overTLS(t, small(t, name), log), log)
				return
			}
			synctest.Test(t, func(t *testing.T) {
				s := small(t, name)
				if name == "disabled-device" {
					s = shipped(t, name) // a share of one device in twenty
				}
				passes(t, inMemory(t, t.Context(), s, log), log)
			})
		})
	}
}

// passes checks that a run met all that it was to meet, and wrote it down.
func passes(t *testing.T, r metrics.Report, log string) {
	t.Helper()
	if code := r.ExitCode(); code != 0 {
		out, _ := json.MarshalIndent(r, "", " ")
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if r.Due != r.Accounted || r.Due == 0 {
		t.Errorf("%d due and %d accounted for", r.Due, r.Accounted)
	}
	if lines := logLines(t, log); len(lines) != r.Due {
		t.Errorf("%d lines in the log for %d boots", len(lines), r.Due)
	}
	if n := r.Run.Reconciliation; !n.Checked || n.Differing != 0 {
		t.Errorf("devices and cloud: %+v", n)
	}
}

// The tutorial's numbers: with a poll every 3 s and an allocation of 3.2 to
// 5.5 s, a device is assigned after 6 s, in a bubble to the moment.
func TestTutorialsDevicesLandAfterTwoPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var life []string
		s := shipped(t, "contoso-boot")
		_, err := scenarios.Run(t.Context(), s, scenarios.Env{
			Network: scenarios.NetworkMemory,
			Watch: scenarios.Watch{Event: func(e device.Event) {
				if e.Device == "breakroom499-contoso-tstrsd-007" && e.Assignment != nil {
					life = append(life, e.Assignment.Hub, e.In.String())
					if e.Polls != 2 {
						t.Errorf("polled %d times", e.Polls)
					}
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"contoso-toasters-hub-1098.azure-devices.cn", "6s"}; !slices.Equal(life, want) {
			t.Errorf("the toaster's assignment: %v, want %v", life, want)
		}
	})
}

func logLines(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", scanner.Bytes(), err)
		}
		lines = append(lines, line)
	}
	return lines
}

// One seed, one log: sorted by device, without times and the ids that the
// service makes up.
func TestSameSeedSameLog(t *testing.T) {
	play := func(seed uint64) (lines, dues string) {
		log := filepath.Join(t.TempDir(), "x.ndjson")
		synctest.Test(t, func(t *testing.T) {
			s := small(t, "contoso-mixed")
			s.Seed = seed
			inMemory(t, t.Context(), s, log)
		})
		var out, due []string
		for _, line := range logLines(t, log) {
			due = append(due, line["due"].(string))
			out = append(out, withoutTimes(t, line))
		}
		slices.Sort(out)
		slices.Sort(due)
		return strings.Join(out, "\n"), strings.Join(due, "\n")
	}
	first, due := play(7)
	second, dueAgain := play(7)
	if first != second {
		t.Errorf("two runs of one seed differ:\n%s\n\n%s", first, second)
	}
	if due != dueAgain {
		t.Errorf("in a bubble the boots of one seed are due at the same moments:\n%s\n\n%s", due, dueAgain)
	}
	if _, other := play(8); other == due {
		t.Error("the boots of another seed are due at the same moments")
	}
}

func withoutTimes(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(strip(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range []string{"due", "ms", "at", "operationId", "trackingId", "etag", "request", "response"} {
			delete(v, name)
		}
		for name := range v {
			v[name] = strip(v[name])
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}

const oneToaster = `
name: one
cloud:
  linkedHubs: [contoso-toasters-hub.azure-devices.net]
  enrollmentGroups: {g: {policy: contoso}}
fleets:
  f: {model: toaster, count: 1}
`

// Runs that begin in one second would give their logs one name.
func TestRunsOfOneSecondHaveALogEach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.ndjson")
	env := scenarios.Env{Network: scenarios.NetworkMemory, LogPath: path}
	once := func(env scenarios.Env) (log string, err error) {
		synctest.Test(t, func(t *testing.T) {
			r, failed := scenarios.Run(t.Context(), small(t, "contoso-boot"), env)
			log, err = r.Log, failed
		})
		return log, err
	}
	if _, err := once(env); err != nil {
		t.Fatal(err)
	}
	if _, err := once(env); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a log that was named is made twice: %v", err)
	}
	env.LogNumbered = true
	for _, want := range []string{"x-2.ndjson", "x-3.ndjson"} {
		log, err := once(env)
		if err != nil || filepath.Base(log) != want {
			t.Errorf("the log is %s, %v, want %s", log, err, want)
		}
	}
}

func TestExpectationUnmetIsExitCode3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := read(t, strings.Replace(oneToaster, "count: 1", "count: 1, expect: {desired: {darknessSetting: dark}}", 1))
		if r := inMemory(t, t.Context(), s, ""); r.ExitCode() != 3 || r.Passed() {
			t.Errorf("exit code %d", r.ExitCode())
		}
	})
}

func TestFaultThatTouchesNothingFailsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := read(t, oneToaster+"faults: [{at: webhook, during: 5m..6m, do: status 503}]\n")
		r := inMemory(t, t.Context(), s, "")
		if r.ExitCode() != 3 || len(r.Run.Faults) != 1 {
			t.Errorf("exit code %d, faults %q", r.ExitCode(), r.Run.Faults)
		}
	})
}

func TestFleetAtItsLimitDropsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := read(t, strings.Replace(oneToaster, "count: 1", "count: 10", 1)+"limits: {inFlight: 4}\n")
		r := inMemory(t, t.Context(), s, "")
		if r.Dropped != 6 || r.Due != 10 || r.Accounted != 10 || r.ExitCode() != 4 {
			t.Errorf("%d dropped of %d due, %d accounted for, exit code %d; want 6, 10, 10, 4", r.Dropped, r.Due, r.Accounted, r.ExitCode())
		}
	})
}

func TestAbortThresholdStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := read(t, strings.Replace(oneToaster, "count: 1", "count: 1000, arrive: constant 1/s", 1)+
			"thresholds: [{when: \"boots count < 10\", abort: true, after: 5s}]\n")
		start := time.Now()
		r := inMemory(t, t.Context(), s, "")
		if took := time.Since(start); took > 30*time.Second || r.Run.Stopped == "" || r.ExitCode() != 3 {
			t.Errorf("ran for %s, stopped %q, exit code %d", took, r.Run.Stopped, r.ExitCode())
		}
	})
}

// Whatever was due is in the log, exactly once, also when somebody stops the
// run.
func TestInterruptedRunAccountsForWhatWasDue(t *testing.T) {
	log := filepath.Join(t.TempDir(), "x.ndjson")
	synctest.Test(t, func(t *testing.T) {
		s := read(t, strings.Replace(oneToaster, "count: 1", "count: 40, arrive: constant 2/s", 1))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(9*time.Second+100*time.Millisecond, cancel)
		r := inMemory(t, ctx, s, log)
		if r.ExitCode() != 130 || r.Due != 19 || r.Accounted != 19 {
			t.Errorf("exit code %d, %d due, %d accounted for; want 130, 19, 19", r.ExitCode(), r.Due, r.Accounted)
		}
	})
	outcomes := map[any]int{}
	for _, line := range logLines(t, log) {
		outcomes[line["outcome"]]++
	}
	if outcomes["assigned"]+outcomes["interrupted"] != 19 || outcomes["interrupted"] == 0 {
		t.Errorf("the log holds %v", outcomes)
	}
}

func TestOnlineStaysAndSendsTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := read(t, `
name: online
cloud:
  linkedHubs: [contoso-toasters-hub.azure-devices.net]
  enrollmentGroups: {g: {policy: contoso}}
fleets:
  f: {model: toaster, count: 3, until: online, stay: 1m, telemetry: 10s, expect: {hub: "*-toasters-*"}}
`)
		if r := inMemory(t, t.Context(), s, ""); r.ExitCode() != 0 || r.Run.Cloud["telemetry"] != 18 {
			t.Errorf("exit code %d, %d messages; want 0 and 18", r.ExitCode(), r.Run.Cloud["telemetry"])
		}
	})
}

// What is wrong with the set-up stops a run at once, in one sentence.
func TestSetUpThatIsWrong(t *testing.T) {
	other := provisioning.NewKey()
	scope := "0neOTHER"
	tests := []struct {
		name   string
		change func(*scenarios.Target)
		cause  device.Cause
		says   string
	}{
		{"WrongKey", func(target *scenarios.Target) { target.GroupKey = other }, device.CauseUnauthorized, "--group-key-file"},
		{"WrongIDScope", func(target *scenarios.Target) { target.IDScope = scope }, device.CauseIDScope, "--id-scope"},
		{"NobodyThere", func(target *scenarios.Target) { target.DPS = "127.0.0.1:1" }, device.CauseDialRefused, "dpsfleet emulate"},
		{"UntrustedCertificate", func(target *scenarios.Target) { target.RootCAs = nil }, device.CauseUntrusted, "--ca FILE"},
		{"CertificateOfAnotherName", func(target *scenarios.Target) { target.ServerName = "other.example" }, device.CauseUntrusted, "--server-name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := targeting(t, 3)
			s.Limits.Attempts = 2
			test.change(s.Target)
			log := filepath.Join(t.TempDir(), "x.ndjson")
			r, err := scenarios.Run(t.Context(), s, scenarios.Env{Version: "test", LogPath: log})
			var setup *scenarios.SetupError
			if !errors.As(err, &setup) || setup.Cause != test.cause || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want the cause %s and something with %q", err, test.cause, test.says)
			}
			if lines := logLines(t, log); len(lines) != 3 || r.Accounted != 3 {
				t.Errorf("%d lines and %d accounted for, want 3", len(lines), r.Accounted)
			}
		})
	}
}

func TestTargetElsewhereIsNotReconciled(t *testing.T) {
	s := targeting(t, 5)
	r, err := scenarios.Run(t.Context(), s, scenarios.Env{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if r.ExitCode() != 0 || r.Run.Reconciliation.Checked || r.Run.Ours {
		t.Errorf("exit code %d, reconciliation %+v", r.ExitCode(), r.Run.Reconciliation)
	}
}

// A target that is not this machine's is loaded only by somebody who says that
// it is his.
func TestGuard(t *testing.T) {
	elsewhere := `
name: elsewhere
target: {dps: "dps.example:8883", idScope: 0ne1, groupKey: YSBrZXkgb2YgdGhlIHRlc3Q=, hubs: [h]}
fleets: {f: {model: toaster, count: 2000}}
`
	webhook := strings.Replace(oneToaster, "{policy: contoso}", "{webhookUrl: \"https://function.example/api/x\"}", 1)
	for name, text := range map[string]string{"dps.example": elsewhere, "function.example": webhook} {
		_, err := scenarios.Run(t.Context(), read(t, text), scenarios.Env{Version: "test"})
		var guard *scenarios.GuardError
		if !errors.As(err, &guard) || guard.Host != name || !strings.Contains(err.Error(), "--target-is-mine "+name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := scenarios.Run(t.Context(), read(t, elsewhere), scenarios.Env{Version: "test"})
	if !strings.Contains(err.Error(), "2000 devices, 2m0s") {
		t.Errorf("the cost is not said: %v", err)
	}
}
