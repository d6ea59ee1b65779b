package scenarios_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/metrics"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/scenarios"
)

// recordRun plays a scenario in a bubble and returns the recording of its calls.
func recordRun(t *testing.T, s scenarios.Scenario, redact ...string) (string, metrics.Report) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "calls.ndjson")
	r, err := scenarios.Run(t.Context(), s, scenarios.Env{
		Network: scenarios.NetworkMemory, Version: "test",
		Record: scenarios.Record{Path: path, Redact: redact},
	})
	if err != nil {
		t.Fatal(err)
	}
	return path, r
}

func callsOf(t *testing.T, path string) []allocation.Recorded {
	t.Helper()
	var calls []allocation.Recorded
	for call, err := range allocation.ReadRecording(path) {
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	return calls
}

// served replays a recording against a webhook in the bubble, and records that.
// It returns when each call came, and what of.
func served(t *testing.T, from string, pace scenarios.Stages, webhook http.Handler) (path string, r metrics.Report, came []time.Duration, bodies [][]byte) {
	t.Helper()
	var network memnet.Network
	listener, err := network.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	calls := make(chan []byte, 1000)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body bytes.Buffer
		body.ReadFrom(req.Body)
		calls <- body.Bytes()
		req.Body = http.NoBody
		again := req.Clone(req.Context())
		again.Body = readCloser{&body}
		webhook.ServeHTTP(w, again)
	})}
	go server.Serve(listener)
	defer server.Close()
	target := scenarios.Target{Webhook: "http://" + listener.Addr().String() + "/api/HttpTrigger1?code=s3cret"}
	replay, err := scenarios.ReadReplay(t.Context(), from, target, pace)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "again.ndjson.zst")
	r, err = scenarios.Run(t.Context(), replay.Scenario, scenarios.Env{
		Version: "test", Dial: network.Dial, Requests: replay.Requests, Record: scenarios.Record{Path: path},
	})
	if err != nil {
		t.Fatal(err)
	}
	close(calls)
	for body := range calls {
		bodies = append(bodies, body)
	}
	for _, call := range callsOf(t, path) {
		came = append(came, call.At.Sub(start))
	}
	return path, r, came, bodies
}

type readCloser struct{ *bytes.Buffer }

func (readCloser) Close() error { return nil }

func contosoWebhook() http.Handler {
	return allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso()})
}

func TestRecordedRunReplaysToTheByteAndDiffersInNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, r := recordRun(t, small(t, "contoso-mixed"))
		calls := callsOf(t, before)
		if r.ExitCode() != 0 || len(calls) != r.Due {
			t.Fatalf("exit code %d, %d calls of %d devices", r.ExitCode(), len(calls), r.Due)
		}
		after, r, _, bodies := served(t, before, nil, contosoWebhook())
		if r.ExitCode() != 0 || r.Due != len(calls) || r.Run.Scenario != "replay" {
			t.Errorf("exit code %d, %d due: %v", r.ExitCode(), r.Due, r.Failures)
		}
		for _, call := range calls {
			if !slices.ContainsFunc(bodies, func(b []byte) bool { return bytes.Equal(b, call.Request) }) {
				t.Errorf("the request of %s was not sent again as it was", call.RegistrationID)
			}
		}
		d, err := allocation.Diff(t.Context(), before, after, allocation.DiffOptions{})
		if err != nil || d.Differing != 0 || d.Same != len(calls) || len(d.Changes) != 0 {
			t.Errorf("%v, %+v", err, d)
		}
		data, err := os.ReadFile(before)
		if err != nil || bytes.Contains(data, []byte("code=s3cret")) {
			t.Errorf("%v, or the function key is in the recording", err)
		}
		for _, call := range callsOf(t, after) {
			if bytes.Contains(call.Request, []byte("s3cret")) || strings.Contains(call.Err, "s3cret") {
				t.Errorf("the function key is in %+v", call)
			}
		}
		info, err := allocation.ReadRecordingInfo(after)
		if err != nil || strings.Contains(info.Webhook, "s3cret") || !strings.HasSuffix(info.Webhook, "/api/HttpTrigger1?****") {
			t.Errorf("%v, the recording says the webhook is %s", err, info.Webhook)
		}
	})
}

func TestAnotherVersionOfTheWebhookShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, _ := recordRun(t, read(t, strings.Replace(oneToaster, "count: 1", "count: 5", 1)))
		after, r, _, _ := served(t, before, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		if r.ExitCode() != 0 {
			t.Errorf("exit code %d: that they fail is for diff to judge: %v", r.ExitCode(), r.Failures)
		}
		d, err := allocation.Diff(t.Context(), before, after, allocation.DiffOptions{})
		if err != nil || d.Counts[allocation.NowFails] != 5 || d.Differing != 5 {
			t.Errorf("%v, %+v", err, d)
		}
	})
}

func TestReplayKeepsTheRecordedPaceOrTheOneAskedFor(t *testing.T) {
	for name, test := range map[string]struct {
		pace scenarios.Stages
		want string
	}{
		"Recorded": {nil, "[0s 2s 4s]"},
		"Asked":    {stages(t, "constant 2/s"), "[0s 500ms 1s]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before, _ := recordRun(t, read(t, strings.Replace(oneToaster, "count: 1", "count: 3, arrive: constant 30/min", 1)))
				if _, _, came, _ := served(t, before, test.pace, contosoWebhook()); fmt.Sprint(came) != test.want {
					t.Errorf("calls came at %v, want %s", came, test.want)
				}
			})
		})
	}
}

func stages(t *testing.T, text string) scenarios.Stages {
	t.Helper()
	var s scenarios.Stages
	if err := s.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		t.Fatal(err)
	}
	return s
}

// DPS's retries are in the recording, and are not replayed.
func TestRetriesAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, _ := recordRun(t, read(t, oneToaster+"faults: [{at: webhook, during: 0s..5s, do: status 503}]\n"))
		calls := callsOf(t, before)
		if len(calls) != 3 || calls[0].Status != 503 || calls[2].Attempt != 3 || calls[2].Status != 200 {
			t.Fatalf("got %+v", calls)
		}
		if _, r, _, _ := served(t, before, nil, contosoWebhook()); r.Due != 1 {
			t.Errorf("%d calls are replayed", r.Due)
		}
	})
}

func TestRedactedRunSaysWhatWasLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, r := recordRun(t, small(t, "contoso-boot"), "deviceRuntimeContext.registrationId", "payload.nobody")
		notes := strings.Join(r.Run.Notes, "\n")
		for _, want := range []string{`redacted "deviceRuntimeContext.registrationId" in`, `"payload.nobody" was to be redacted and is in no request and in no answer`} {
			if !strings.Contains(notes, want) {
				t.Errorf("notes %q, want %q", notes, want)
			}
		}
		for _, call := range callsOf(t, path) {
			if !bytes.Contains(call.Request, []byte(`"registrationId":"****"`)) {
				t.Errorf("recorded %s", call.Request)
			}
		}
	})
}

func TestRunThatCannotRecordDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path, log := filepath.Join(dir, "x.ndjson"), filepath.Join(dir, "log.ndjson")
		env := scenarios.Env{Network: scenarios.NetworkMemory, LogPath: log, Record: scenarios.Record{Path: path}}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := scenarios.Run(t.Context(), read(t, oneToaster), env); err == nil || !strings.Contains(err.Error(), "never overwritten") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(log); err == nil {
			t.Error("there is a log of a run that never was")
		}
		os.Remove(path)
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := scenarios.Run(t.Context(), read(t, oneToaster), env); err == nil {
			t.Error("the log was written over")
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("there is a recording of a run that never was")
		}
	})
	s := targeting(t, 1)
	_, err := scenarios.Run(context.Background(), s, scenarios.Env{Record: scenarios.Record{Path: filepath.Join(t.TempDir(), "x.ndjson")}})
	if err == nil || !strings.Contains(err.Error(), "nothing to record") {
		t.Errorf("got %v", err)
	}
}
