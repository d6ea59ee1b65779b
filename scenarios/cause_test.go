package scenarios_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

// story plays a scenario and returns what is likely of a boot, of one that has a
// cause if there is one, and the page about it.
func story(t *testing.T, s scenarios.Scenario, env scenarios.Env) (name, page string) {
	t.Helper()
	env.LogPath = filepath.Join(t.TempDir(), "x.ndjson")
	// A mistake in the set-up is an error too; what counts here is in the log.
	_, _ = scenarios.Run(t.Context(), s, env)
	info, err := metrics.ReadRun(env.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for b, err := range metrics.ReadLog(env.LogPath) {
		if err != nil {
			t.Fatal(err)
		}
		if name != "" {
			continue
		}
		cause, _ := report.LikelyCause(b)
		name = cause.Name
		out.Reset()
		if err := report.Explain(&out, b, info, report.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	return name, out.String()
}

const (
	causeCloud = "name: cause\ncloud: {linkedHubs: [contoso-toasters-hub.azure-devices.net, other-toasters-hub.azure-devices.net], enrollmentGroups: {g: {policy: %s}}%s}\n"
	causeFleet = "fleets: {f: {model: toaster, count: 1%s}}\n"
)

// inBubble are the causes that a cloud of ours can make, without a network.
func inBubble() map[string]string {
	contoso := fmt.Sprintf(causeCloud, "contoso, functionKey: required", "")
	toaster := fmt.Sprintf(causeFleet, "")
	fault := func(text string) string { return contoso + toaster + "faults: [{" + text + "}]\n" }
	return map[string]string{
		"function-key":         fault("at: webhook, do: missing key"),
		"webhook-redirects":    fault("at: webhook, do: status 302"),
		"webhook-refused":      fault("at: webhook, do: status 404"),
		"webhook-fails":        fault("at: webhook, do: status 503"),
		"webhook-silent":       fault("at: webhook, do: reset"),
		"stale-hub-key":        fault("at: dps, do: hub key stale"),
		"no-hub":               fault("at: webhook, do: empty hub"),
		"hub-not-linked":       fault("at: webhook, do: hub not linked"),
		"not-json":             fault("at: webhook, do: not json"),
		"id-scope":             fault("at: dps, do: connack 3"),
		"user-name":            fault("at: dps, do: connack 5"),
		"hub-refused":          fault("at: hub, do: connack 5"),
		"throttled":            fault("at: dps, do: throttle"),
		"out-of-time":          fault("at: dps, do: silence"),
		"webhook-failed-first": fault("at: webhook, do: status 503, during: 0s..5s"),
		"twin-refused":         fmt.Sprintf(causeCloud, "./bad.yaml", "") + toaster,
		"disabled":             fmt.Sprintf(causeCloud, "contoso", ", individualEnrollments: {breakroom1-contoso-tstrsd-007: {provisioningStatus: disabled}}") + toaster,
		"came-back-to-dps":     contoso + fmt.Sprintf(causeFleet, ", cached: {hub: other-toasters-hub.azure-devices.net, forgotten: 100%}"),
		"dropped":              contoso + "fleets: {f: {model: toaster, count: 2}}\nlimits: {inFlight: 1}\n",
	}
}

const badPolicy = "name: bad\nrules:\n- {when: {registrationId: {contains: breakroom}}, hub: {contains: -toasters-}, noHub: no, tags: {\"a.b\": 1}}\notherwise: no\n"

// Whatever a row of the table says, a run shows it.
func TestLikelyCauses(t *testing.T) {
	shown := make(map[string]bool)
	for want, text := range inBubble() {
		shown[want] = true
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := scenarios.Read("test.yaml", []byte(text), fstest.MapFS{"bad.yaml": {Data: []byte(badPolicy)}})
				if err != nil {
					t.Fatal(err)
				}
				got, page := story(t, s, scenarios.Env{Network: scenarios.NetworkMemory})
				if got != want || !strings.Contains(page, "\nlikely: ") {
					t.Errorf("likely %q, want %q:\n%s", got, want, page)
				}
			})
		})
	}
	for want, run := range onNetwork() {
		shown[want] = true
		t.Run(want, func(t *testing.T) {
			s, env := run(t)
			if got, page := story(t, s, env); got != want || strings.Contains(page, "{") && strings.Contains(page, "}: ") {
				t.Errorf("likely %q, want %q:\n%s", got, want, page)
			}
		})
	}
	for _, name := range report.CauseNames() {
		if !shown[name] {
			t.Errorf("no run shows the cause %s", name)
		}
	}
}

// onNetwork are the causes that take a network, or a cloud elsewhere.
func onNetwork() map[string]func(*testing.T) (scenarios.Scenario, scenarios.Env) {
	elsewhere := func(change func(*scenarios.Target)) func(*testing.T) (scenarios.Scenario, scenarios.Env) {
		return func(t *testing.T) (scenarios.Scenario, scenarios.Env) {
			s := targeting(t, 1)
			s.Limits.Attempts = 1
			change(s.Target)
			return s, scenarios.Env{}
		}
	}
	return map[string]func(*testing.T) (scenarios.Scenario, scenarios.Env){
		"device-key":            elsewhere(func(target *scenarios.Target) { target.GroupKey = provisioning.NewKey() }),
		"nobody-there":          elsewhere(func(target *scenarios.Target) { target.DPS = "127.0.0.1:1" }),
		"certificate-untrusted": elsewhere(func(target *scenarios.Target) { target.RootCAs = nil }),
		"hub-not-declared":      elsewhere(func(target *scenarios.Target) { target.Hubs = []string{"another.azure-devices.net"} }),
		"certificate-refused": func(t *testing.T) (scenarios.Scenario, scenarios.Env) {
			return quick(read(t, strings.Replace(certified, "count: 3", "count: 1, certificate: self-signed", 1))), scenarios.Env{}
		},
		"webhook-away": func(*testing.T) (scenarios.Scenario, scenarios.Env) {
			s := scenarios.Stress()
			s.Fleets = s.Fleets[:1]
			s.Fleets[0].Count = 1
			return s.Calling(scenarios.Target{Webhook: "http://127.0.0.1:1/", Hubs: scenarios.TutorialHubs()}), scenarios.Env{}
		},
		"operation-gone": func(t *testing.T) (scenarios.Scenario, scenarios.Env) {
			s := targeting(t, 1)
			var once sync.Once
			return s, scenarios.Env{Watch: scenarios.Watch{Heard: func(string, provisioning.Operation) {
				once.Do(func() { scenarios.Run(t.Context(), s, scenarios.Env{}) })
			}}}
		},
		"no-websocket": func(t *testing.T) (scenarios.Scenario, scenarios.Env) {
			server := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			s := targeting(t, 1)
			s.Limits.Attempts = 1
			s.Target.DPS = strings.TrimPrefix(server.URL, "https://")
			s.Target.RootCAs = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
			return s, scenarios.Env{Network: scenarios.NetworkWSS}
		},
	}
}

// The page tells both sides' parts in the order of time.
func TestStoryFromBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, page := story(t, read(t, inBubble()["webhook-failed-first"]), scenarios.Env{Network: scenarios.NetworkMemory})
		var at []int
		for _, want := range []string{
			"device  registering", `sent     {"MyDevice`, "webhook call 1 answered 503", `asked    {"enrollmentGroup":`, "device  assigning",
			"webhook call 3 answered 200 other-toasters-hub", "was told assigned other-toasters-hub", "device  joining",
		} {
			at = append(at, strings.Index(page, want))
		}
		if at[0] < 0 || !slices.IsSorted(at) {
			t.Errorf("not in this order, or not there: %v\n%s", at, page)
		}
	})
}

func TestStoryOfACloudThatWasNotSeen(t *testing.T) {
	_, page := story(t, targeting(t, 1), scenarios.Env{})
	if !strings.Contains(page, "the cloud is not ours, so what it did") {
		t.Error(page)
	}
	synctest.Test(t, func(t *testing.T) {
		hashed := strings.Replace(oneToaster, "policy: contoso", "allocationPolicy: hashed", 1)
		if _, page := story(t, read(t, hashed), scenarios.Env{Network: scenarios.NetworkMemory}); !strings.Contains(page, "no webhook was called for it") {
			t.Error(page)
		}
		if _, page := story(t, read(t, oneToaster), scenarios.Env{Network: scenarios.NetworkMemory}); !strings.Contains(page, "--record keeps them all") {
			t.Error(page)
		}
	})
}
