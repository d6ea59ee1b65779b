package prom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dpsfleet/metrics"
	"dpsfleet/metrics/prom"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

func TestPromtoolTakesConfigAndRules(t *testing.T) {
	out := promtool(t, "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")
	if rules := promtool(t, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, glob(t, "rules/*.yml")...)...); !strings.Contains(rules, "SUCCESS") {
		t.Error(rules)
	}
	if !strings.Contains(out, "2 rule files found") {
		t.Error(out)
	}
}

// silent are the expressions that the run of this test gives no data for.
func silent() map[string]string {
	return map[string]string{
		"DpsfleetWebhookUnauthorized": "the webhook asks for no key",
		"DpsfleetWebhookSlow":         "the policy answers at once",
		"DpsfleetDown":                "both targets answer",
		"DpsfleetBootsDropped":        "there is no limits.inFlight",
		"DpsfleetGeneratorLate":       "forty devices are no load, unless this machine is very busy",
	}
}

// Prometheus itself watches a run and the cloud that it is played against, and
// every expression of every dashboard and rule has data, or is known not to.
func TestEveryExpressionHasData(t *testing.T) {
	tool(t, "prometheus")
	cloud, shown := emulated(t)
	run := prom.New()
	address := watch(t, serve(t, run), serve(t, shown))
	start := time.Now()
	enough, stop := context.WithTimeout(t.Context(), 15*time.Second) // devices that are throttled would go on for a minute
	defer stop()
	if _, err := scenarios.Run(enough, stormy(t, cloud), scenarios.Env{Network: scenarios.NetworkTCP, Version: "test", Folds: []metrics.Fold{run.Fold()}}); err != nil {
		t.Fatal(err)
	}

	missing := expressions(t)
	total := len(missing)
	deadline := time.Now().Add(30 * time.Second)
	for len(missing) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Second) // another process's scrapes, outside of any bubble
		missing = slices.DeleteFunc(missing, func(e expression) bool {
			why, expected := silent()[e.where]
			if !hasData(t, address, e, start) {
				return expected && time.Since(start) > 15*time.Second
			}
			if expected {
				t.Logf("%s has data, though %s", e.where, why)
			}
			return true
		})
	}
	for _, e := range missing {
		t.Errorf("%s: no data for\n\t%s", e.where, e.promql)
	}
	if total < 60 {
		t.Errorf("%d expressions; some were not found", total)
	}
}

// emulated is a cloud that throttles, so that there is something to see, and what
// it shows.
func emulated(t *testing.T) (*emulator.Cloud, *prom.Metrics) {
	t.Helper()
	tutorial, err := provisioning.ParseKey(scenarios.TutorialGroupKey)
	if err != nil {
		t.Fatal(err)
	}
	s := shipped(t, "contoso-mixed", 1)
	config := s.Config(nil, tutorial)
	if config.Quotas, err = emulator.ParseQuotas("0.02x"); err != nil {
		t.Fatal(err)
	}
	config.Undocumented.ThrottleRetryAfter = emulator.Span{Min: 2 * time.Second, Max: 2 * time.Second}
	config.Hubs = make(map[string]emulator.LinkedHub)
	for _, hub := range s.Hubs() { // which throttle, too, unless they are large
		config.Hubs[hub] = emulator.LinkedHub{SKU: "S3", Units: 10}
	}
	shown := prom.New()
	shown.Declare(s.Hubs())
	config.Record = shown.Exchange
	cloud, err := emulator.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	shown.Totals(func() map[string]int64 { return cloud.Totals().ByName() })
	return cloud, shown
}

// stormy is a run whose devices are throttled, whose strangers are refused though
// they should not be, and whose threshold cannot be met.
func stormy(t *testing.T, cloud *emulator.Cloud) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Read("stormy.yaml", fmt.Appendf(nil, `
name: stormy
about: All that alerts are for.
seed: 3
target:
  dps: %q
  idScope: %s
  groupKey: %s
  hubs: [contoso-toasters-hub-1098.azure-devices.net, contoso-heatpumps-hub-1098.azure-devices.net]
models:
  doorbell: {registrationId: "doorbell{{.N}}", payload: {model: doorbell}}
fleets:
  toasters: {model: toaster, count: 20, arrive: constant 2/s, expect: {hub: "*-toasters-*"}}
  heatpumps: {model: heatpump, count: 10, arrive: constant 1/s, expect: {hub: "*-heatpumps-*"}}
  strangers: {model: doorbell, count: 10, arrive: constant 1/s}
thresholds: [time_to_assigned p(95) < 1ms]
`, cloud.Addr(), cloud.IDScope(), scenarios.TutorialGroupKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t *testing.T, m *prom.Metrics) (address string) {
	t.Helper()
	server := httptest.NewServer(m.Handler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// watch starts Prometheus with the configuration that is shipped, but for the
// targets, and returns its address.
func watch(t *testing.T, targets ...string) string {
	t.Helper()
	dir := t.TempDir()
	config := string(content(t, "prometheus.yml"))
	const target = `"127.0.0.1:9464"`
	if strings.Count(config, target) != 1 {
		t.Fatalf("the configuration has no one target %s", target)
	}
	config = strings.Replace(config, target, fmt.Sprintf("%q", targets[0])+", "+fmt.Sprintf("%q", targets[1]), 1)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "rules"), os.DirFS("rules")); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	var problems strings.Builder
	cmd := exec.Command(tool(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("prometheus: %v\n%s", err, problems.String())
		}
	})
	// It takes some seconds until it looks at its targets.
	both := expression{"both targets", `count(up{job="dpsfleet"} == 1) == 2`}
	for range 600 {
		if answers(address) && hasData(t, address, both, time.Now()) {
			return address
		}
		time.Sleep(50 * time.Millisecond) // another process
	}
	t.Fatal("prometheus does not see its targets after 30 s")
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func answers(address string) bool {
	answer, err := http.Get("http://" + address + "/-/ready")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == 200
}

// hasData asks whether an expression had a value that is a number at any moment
// since the start.
func hasData(t *testing.T, address string, e expression, start time.Time) bool {
	t.Helper()
	query := url.Values{"query": {e.promql}, "start": {seconds(start)}, "end": {seconds(time.Now())}, "step": {"1"}}
	answer, err := http.Get("http://" + address + "/api/v1/query_range?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var found struct {
		Status, Error string
		Data          struct {
			Result []struct{ Values [][2]any }
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		t.Fatal(err)
	}
	if found.Status != "success" {
		t.Fatalf("%s: %s\n\t%s", e.where, found.Error, e.promql)
	}
	for _, series := range found.Data.Result {
		for _, value := range series.Values {
			if value[1] != "NaN" {
				return true
			}
		}
	}
	return false
}

func seconds(at time.Time) string { return fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000) }
