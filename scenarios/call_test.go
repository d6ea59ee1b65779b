package scenarios_test

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/scenarios"
)

const (
	webhookAddress = "webhook.contoso.test:80"
	webhookURL     = "http://" + webhookAddress + allocation.Path
	toasterAnswer  = `{"iotHubHostName":"contoso-toasters-hub-1098.azure-devices.net","initialTwin":{"properties":{"desired":{"state":"ready"}},"tags":{"deviceType":"toaster"}},"payload":{"welcome":"home"}}`
)

// calling plays a scenario of direct calls against a handler, in memory. It is for
// a bubble.
func calling(t *testing.T, s scenarios.Scenario, handler http.Handler) metrics.Report {
	t.Helper()
	return callingAs(t, s, scenarios.Env{}, handler)
}

func callingAs(t *testing.T, s scenarios.Scenario, env scenarios.Env, handler http.Handler) metrics.Report {
	t.Helper()
	env.Dial, env.TargetIsMine, env.AboveQuota = serving(t, handler).Dial, "webhook.contoso.test", true
	r, err := scenarios.Run(t.Context(), s, env)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serving is a network on which a webhook is served until the test ends.
func serving(t *testing.T, webhook http.Handler) *memnet.Network {
	t.Helper()
	network := new(memnet.Network)
	listener, err := network.Listen("tcp", webhookAddress)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: webhook}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return network
}

// oneCall is a scenario of one call, of which anything is expected.
func oneCall(expect metrics.Expectation) scenarios.Scenario {
	s := scenarios.Stress().Calling(scenarios.Target{Webhook: webhookURL, Hubs: scenarios.TutorialHubs()})
	s.Fleets = s.Fleets[:1]
	s.Fleets[0].Count = 1
	s.Fleets[0].Expect = metrics.Expectations{expect}
	return s
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestEveryAnswerOfTheWebhookIsChecked(t *testing.T) {
	failed := func(code provisioning.Code) metrics.Expectation {
		return metrics.Expectation{Outcome: device.OutcomeFailed, Code: metrics.ExpectedCode(code)}
	}
	tests := []struct {
		name    string
		webhook http.HandlerFunc
		want    metrics.Expectation
	}{
		{"Assigned", answering(200, toasterAnswer), metrics.Expectation{
			Outcome: device.OutcomeAssigned, Hub: "*-toasters-*",
			Desired: json.RawMessage(`{"state":"ready"}`), Tags: json.RawMessage(`{"deviceType":"toaster"}`), Payload: json.RawMessage(`{"welcome":"home"}`),
		}},
		{"HubNotLinked", answering(200, `{"iotHubHostName":"elsewhere.azure-devices.net"}`), failed(provisioning.CustomAllocationFailed)},
		{"HubEmpty", answering(200, `{"iotHubHostName":""}`), failed(provisioning.CustomAllocationIotHubNotSpecified)},
		{"NotJSON", answering(200, `<html>`), failed(provisioning.CustomAllocationFailed)},
		{"TwinOfTheWrongKind", answering(200, `{"iotHubHostName":"contoso-toasters-hub-1098.azure-devices.net","initialTwin":7}`), failed(provisioning.CustomAllocationFailed)},
		{"KeyMissing", answering(401, ""), failed(provisioning.CustomAllocationUnauthorizedAccess)},
		{"BrokenIsNotRetried", answering(503, toasterAnswer), failed(provisioning.CustomAllocationFailed)},
		{"RedirectIsNotFollowed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.test/", http.StatusTemporaryRedirect)
		}, failed(provisioning.CustomAllocationFailed)},
		{"NeverAnswers", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() },
			metrics.Expectation{Outcome: device.OutcomeTimeout}},
		{"ClosesEarly", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			metrics.Expectation{Outcome: device.OutcomeUnreachable}},
		{"ClosesInTheMiddle", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, toasterAnswer[:50])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, metrics.Expectation{Outcome: device.OutcomeUnreachable}},
		{"AnswersWithoutEnd", func(w http.ResponseWriter, _ *http.Request) {
			for chunk := make([]byte, 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, failed(provisioning.CustomAllocationFailed)},
		{"GzipBombStaysPacked", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "\x1f\x8b\x08\x00 a thousand times as long, unpacked")
		}, failed(provisioning.CustomAllocationFailed)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := calling(t, oneCall(test.want), test.webhook)
				if !r.Passed() || r.Accounted != 1 {
					t.Errorf("%s %v %+v", r.Verdict(), r.Failures, r.Unexpected)
				}
			})
		})
	}
}

func TestWebhookThatNobodyServesStopsTheRun(t *testing.T) {
	s := oneCall(metrics.Expectation{})
	_, err := scenarios.Run(t.Context(), s, scenarios.Env{TargetIsMine: "webhook.contoso.test", Dial: new(memnet.Network).Dial})
	if err == nil || !strings.Contains(err.Error(), "nobody answers at the webhook's URL") {
		t.Errorf("%v", err)
	}
}

func TestWebhookElsewhereIsGuarded(t *testing.T) {
	_, err := scenarios.Run(t.Context(), oneCall(metrics.Expectation{}), scenarios.Env{})
	if err == nil || !strings.Contains(err.Error(), "--target-is-mine webhook.contoso.test") {
		t.Errorf("%v", err)
	}
}

// asked keeps what a webhook was asked.
type asked struct {
	mu       sync.Mutex
	requests []allocation.Request
	headers  []http.Header
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var request allocation.Request
	err := json.Unmarshal(body, &request)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests, a.headers = append(a.requests, request), append(a.headers, r.Header)
	if err != nil || r.URL.Query().Get("code") != "sesame" {
		w.WriteHeader(http.StatusTeapot)
	}
	io.WriteString(w, toasterAnswer)
}

func TestRequestsAreThoseOfDPS(t *testing.T) {
	s := oneCall(metrics.Expectation{})
	s.Fleets[0].Count = 40
	s.Target.Webhook += "?code=sesame"
	s.Target.Requests = scenarios.Requests{Individual: 0.5, Repeated: 0.5, X509: 0.5}
	s.Target.HTTP.Headers = map[string]string{"X-Ours": "yes"}
	synctest.Test(t, func(t *testing.T) {
		var seen asked
		r := callingAs(t, s, scenarios.Env{Version: "1.2.3"}, &seen)
		if !r.Passed() {
			t.Fatal(r.Failures, r.Unexpected)
		}
		if strings.Contains(r.Run.Target, "sesame") || !strings.Contains(r.Run.Target, "****") {
			t.Errorf("the target is shown as %s", r.Run.Target)
		}
		kinds := make(map[string]int)
		for i, request := range seen.requests {
			kinds[kindOf(t, request)]++
			if h := seen.headers[i]; h.Get("User-Agent") != "dpsfleet/1.2.3 (run stress 1)" || h.Get("X-Ours") != "yes" || h.Get("Accept-Encoding") != "identity" {
				t.Errorf("%v", h)
			}
		}
		if len(kinds) != 8 {
			t.Errorf("of eight kinds of requests came %v", kinds)
		}
	})
}

// kindOf checks a request and says what is particular about it.
func kindOf(t *testing.T, r allocation.Request) string {
	c := r.DeviceRuntimeContext
	record, kind := r.EnrollmentGroup, "group"
	if record == nil {
		record, kind = r.IndividualEnrollment, "individual"
		if record == nil || record.RegistrationID != *c.RegistrationID {
			t.Fatalf("%+v", r)
		}
	}
	proof := provisioning.AttestSymmetricKey
	if c.X509 != nil {
		proof, kind = provisioning.AttestX509, kind+" x509"
		leaf, err := x509.ParseCertificate(c.X509.ClientCertificate)
		if err != nil || leaf.Subject.CommonName != *c.RegistrationID {
			t.Errorf("%s has the certificate of %v, %v", *c.RegistrationID, leaf, err)
		}
	}
	if record.Attestation.Type != proof || (c.SymmetricKey != nil) == (c.X509 != nil) {
		t.Errorf("%+v", r)
	}
	if c.CurrentIoTHubHostName != "" {
		kind += " repeated"
		if c.CurrentDeviceID != *c.RegistrationID {
			t.Errorf("%+v", c)
		}
	}
	if strings.Contains(record.CustomAllocation.WebhookURL, "sesame") || len(r.LinkedHubs) != 2 {
		t.Errorf("%+v", r)
	}
	return kind
}

// A webhook that freezes for a second is to blame for all that was due meanwhile,
// though a client that waited would have asked it less often.
func TestLatencyCountsFromWhenACallWasDue(t *testing.T) {
	const rate, calls = 10, 40
	synctest.Test(t, func(t *testing.T) {
		s := oneCall(metrics.Expectation{})
		s, err := s.Arriving(stages(t, "constant 10/s"), calls*time.Second/rate)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		thaw := begin.Add(2 * time.Second)
		r := calling(t, s, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if now := time.Since(begin); now >= time.Second && now < 2*time.Second {
				time.Sleep(time.Until(thaw))
			}
			io.WriteString(w, toasterAnswer)
		}))
		// Of 40 calls, a tenth of a second apart, ten are due while it is frozen and
		// wait for 1.0 s, 0.9 s ... 0.1 s: of all, sorted, the 36th is p90, the 38th p95.
		want := map[string]time.Duration{"p50": 0, "p90": 600 * time.Millisecond, "p95": 800 * time.Millisecond, "p99": time.Second, "max": time.Second}
		for _, times := range r.Times {
			if times.Metric != "time_to_assigned" {
				continue
			}
			for name, got := range map[string]metrics.Millis{"p50": times.P50, "p90": times.P90, "p95": times.P95, "p99": times.P99, "max": times.Max} {
				if off := (got.Duration() - want[name]).Abs(); off > want[name]/20 {
					t.Errorf("%s is %v, the schedule implies %v", name, got, want[name])
				}
			}
			return
		}
		t.Error("there is no time_to_assigned")
	})
}
