package prom_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

// samples are what a scrape holds, by name and labels as they stand there.
type samples map[string]float64

// scrape asks as Prometheus does.
func scrape(t testing.TB, handler http.Handler) samples {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 200 {
		t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	return parse(t, answer.Body)
}

func parse(t testing.TB, text io.Reader) samples {
	t.Helper()
	all, err := io.ReadAll(text)
	if err != nil {
		t.Fatal(err)
	}
	found := make(samples)
	for line := range bytes.Lines(all) {
		if name, value, ok := strings.Cut(strings.TrimSpace(string(line)), "} "); ok && line[0] != '#' {
			found.add(t, name+"}", value)
		} else if name, value, ok := strings.Cut(name, " "); ok && line[0] != '#' {
			found.add(t, name, value)
		}
	}
	return found
}

// add takes a value, and leaves out the time behind it.
func (s samples) add(t testing.TB, name, text string) {
	t.Helper()
	text, _, _ = strings.Cut(text, " ")
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	s[name] = value
}

// ours are those of dpsfleet but for the buckets.
func (s samples) ours() samples {
	own := make(samples)
	for name, value := range s {
		if strings.HasPrefix(name, "dpsfleet_") && !strings.Contains(name, "_bucket{") {
			own[name] = value
		}
	}
	return own
}

// label is the value of a label in a sample's name.
func label(name, label string) string {
	_, rest, _ := strings.Cut(strings.ReplaceAll(name, "{", ","), ","+label+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func shipped(t testing.TB, name string, scale float64) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.ReadShipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Scaled(scale)
}

func played(t testing.TB, s scenarios.Scenario, env scenarios.Env) metrics.Report {
	t.Helper()
	env.Version = "test"
	r, err := scenarios.Run(t.Context(), s, env)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tool is a program of Debian's package prometheus; a test that lacks it says so,
// and fails in CI.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed (`make clients`)", name)
	}
	t.Skipf("NOT TESTED WITH THE REAL PROMETHEUS: %s is not installed (`make clients`)", name)
	return ""
}

func promtool(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(tool(t, "promtool"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
