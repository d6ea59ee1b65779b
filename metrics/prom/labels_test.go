package prom_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/prom"
	"dpsfleet/provisioning"
)

// What the wire says is never a label: not a hub that nobody declared, not a code
// without a name, not a device, not an error.
func TestLabelsAreBounded(t *testing.T) {
	m := prom.New()
	c, err := metrics.NewCollector(metrics.RunInfo{Fleets: []metrics.Fleet{{Name: "toasters"}}, Hubs: []string{"hub-a.example"}}, nil, m.Fold())
	if err != nil {
		t.Fatal(err)
	}
	due := time.Date(2026, 11, 22, 21, 0, 0, 0, time.UTC)
	for i := range 2000 {
		id := fmt.Sprintf("hostile%d", i)
		c.Event(device.Event{Device: id, Fleet: "toasters", Model: "toaster", Boot: 1, To: device.Assigning, At: due})
		c.Exchange(provisioning.Exchange{Kind: provisioning.ExchangeAllocate, RegistrationID: id, Status: i, Err: id})
		c.Exchange(provisioning.Exchange{Kind: provisioning.ExchangeVerdict, RegistrationID: id, Status: 200, State: &provisioning.RegistrationState{
			Status: provisioning.Assigned, AssignedHub: "HUB-" + id, ErrorCode: provisioning.Code(577000 + i)}})
		failure := &device.Failure{Outcome: device.OutcomeHubNotDeclared, Code: provisioning.Code(477000 + i), Err: errors.New(id)}
		c.Event(device.Event{
			Device: id, Fleet: "toasters", Model: "toaster", Boot: 1, From: device.Assigning, To: device.Failed, At: due, Err: failure,
			Assignment: &device.Assignment{Status: provisioning.Assigned, Hub: "HUB-" + id},
		})
	}
	c.Finish(due)
	c.Report(due, metrics.End{})
	found := scrape(t, m.Handler()).ours()
	want := map[string]float64{
		`dpsfleet_boots_total{code="other",fleet="toasters",hub="other",model="toaster",outcome="hub-not-declared"}`: 2000,
		`dpsfleet_emulator_registrations_total{code="other",hub="other",outcome="assigned"}`:                         2000,
		`dpsfleet_webhook_requests_total{status="404"}`:                                                              1,
		`dpsfleet_webhook_requests_total{status="none"}`:                                                             1,
	}
	for name, n := range want {
		if found[name] != n {
			t.Errorf("%s is %v, want %v", name, found[name], n)
		}
	}
	for name := range found {
		if strings.Contains(strings.ToLower(name), "hostile") {
			t.Errorf("%s", name)
		}
	}
	if len(found) > 100 {
		t.Errorf("%d series", len(found))
	}
}

// Hubs are compared as DNS does, and shown as they are declared.
func TestDeclaredHubIsALabelWhateverItsCase(t *testing.T) {
	m := prom.New()
	m.Declare([]string{"Hub-A.example"})
	for _, hub := range []string{"hub-a.example", "HUB-A.EXAMPLE"} {
		m.Exchange(provisioning.Exchange{Kind: provisioning.ExchangeVerdict, State: &provisioning.RegistrationState{Status: provisioning.Assigned, AssignedHub: hub}})
	}
	name := `dpsfleet_emulator_registrations_total{code="",hub="Hub-A.example",outcome="assigned"}`
	if n := scrape(t, m.Handler())[name]; n != 2 {
		t.Errorf("%s is %v, want 2", name, n)
	}
}

// A threshold that nothing can be judged by yet is missing, and at the end unmet.
func TestThresholdWithoutDataIsUnmetAtTheEndOnly(t *testing.T) {
	threshold, err := metrics.ParseThreshold("time_to_assigned p(95) < 8s")
	if err != nil {
		t.Fatal(err)
	}
	m := prom.New()
	start := time.Now()
	c, err := metrics.NewCollector(metrics.RunInfo{Started: start, Thresholds: []metrics.Threshold{threshold}}, nil, m.Fold())
	if err != nil {
		t.Fatal(err)
	}
	c.Progress(start.Add(2 * time.Second))
	const name = `dpsfleet_threshold_met{threshold="time_to_assigned p(95) < 8s"}`
	if met, shown := scrape(t, m.Handler())[name]; shown {
		t.Errorf("it is %v before there is data", met)
	}
	c.Finish(start.Add(3 * time.Second))
	c.Report(start.Add(3*time.Second), metrics.End{})
	if met, shown := scrape(t, m.Handler())[name]; !shown || met != 0 {
		t.Errorf("%v %v at the end, want 0", met, shown)
	}
}

func TestWebhookCountsItsCallsByStatus(t *testing.T) {
	m := prom.New()
	webhook := m.Webhook(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused":
			http.Error(w, "no", 400)
		case "/odd":
			w.WriteHeader(799)
		default:
			fmt.Fprint(w, "yes")
			w.WriteHeader(500) // too late, and not what was sent
		}
	}))
	for _, path := range []string{"/", "/", "/refused", "/odd"} {
		webhook.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", path, nil))
	}
	found := scrape(t, m.Handler())
	for name, want := range map[string]float64{
		`dpsfleet_webhook_requests_total{status="200"}`:   2,
		`dpsfleet_webhook_requests_total{status="400"}`:   1,
		`dpsfleet_webhook_requests_total{status="other"}`: 1,
		`dpsfleet_webhook_duration_seconds_count`:         4,
	} {
		if found[name] != want {
			t.Errorf("%s is %v, want %v", name, found[name], want)
		}
	}
}

// Runs may follow one another, as in the search for a limit: what is counted goes
// on, the rest is the latest run's.
func TestRunsThatFollowOneAnotherAddUp(t *testing.T) {
	m := prom.New()
	for _, scenario := range []string{"first", "second"} {
		start := time.Now()
		c, err := metrics.NewCollector(metrics.RunInfo{Scenario: scenario, Started: start, Fleets: []metrics.Fleet{{Name: "toasters", Count: 5}}}, nil, m.Fold())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			c.Event(device.Event{Device: fmt.Sprint(i), Fleet: "toasters", Boot: 1, To: device.Dropped, At: start})
		}
		c.Finish(start)
	}
	found := scrape(t, m.Handler())
	for name, want := range map[string]float64{
		`dpsfleet_boots_begun_total{fleet="toasters"}`:                                     10,
		`dpsfleet_boots_planned{fleet="toasters"}`:                                         5,
		`dpsfleet_boots_total{code="",fleet="toasters",hub="",model="",outcome="dropped"}`: 10,
		`dpsfleet_run_info{scenario="second",seed="0",target="",version=""}`:               1,
		`dpsfleet_run_info{scenario="first",seed="0",target="",version=""}`:                0,
		`dpsfleet_lateness_seconds_count{fleet="toasters"}`:                                0,
	} {
		if found[name] != want {
			t.Errorf("%s is %v, want %v", name, found[name], want)
		}
	}
}
