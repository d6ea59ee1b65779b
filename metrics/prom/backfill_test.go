package prom_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"dpsfleet/metrics/prom"
	"dpsfleet/scenarios"
)

func openMetrics(t testing.TB, log string) string {
	t.Helper()
	var out strings.Builder
	if err := prom.OpenMetrics(&out, log); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.HasSuffix(text, "\n# EOF\n") {
		t.Errorf("it ends with %q", text[max(0, len(text)-80):])
	}
	return out.String()
}

func TestPromtoolTakesALog(t *testing.T) {
	tool(t, "promtool")
	dir := t.TempDir()
	log := filepath.Join(dir, "run.ndjson.zst")
	synctest.Test(t, func(t *testing.T) {
		played(t, shipped(t, "webhook-down", 0.5), scenarios.Env{Network: scenarios.NetworkMemory, LogPath: log})
	})
	file := filepath.Join(dir, "run.om")
	if err := os.WriteFile(file, []byte(openMetrics(t, log)), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	promtool(t, "tsdb", "create-blocks-from", "openmetrics", file, data)
	if err := os.Mkdir(filepath.Join(data, "wal"), 0o700); err != nil { // dump looks for one
		t.Fatal(err)
	}
	found := promtool(t, "tsdb", "dump", "--match", `dpsfleet_boots_total{fleet="toasters"}`, data)
	if lines := strings.Split(strings.TrimSpace(found), "\n"); len(lines) < 2 || !strings.Contains(lines[len(lines)-1], "} 20 ") {
		t.Errorf("the blocks hold\n%s", found)
	}
}

// A log is somebody else's file: boots that are 26 years apart, out of order and of
// ever new fleets, models and hubs cost no more than others.
func TestHostileLogIsBounded(t *testing.T) {
	log := filepath.Join(t.TempDir(), "run.ndjson")
	var lines strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&lines, `{"registrationId":"d%d","fleet":"fleet%d","model":"model%d","boot":1,"due":"%d-01-01T00:00:00Z","stages":[{"stage":"off","ms":1.000}],"outcome":"%s","verdict":"assigned","hub":"hub%d","code":%d,"met":true,"allocations":[{"status":%d,"ms":1.000,"attempt":1,"at":1.000}]}`+"\n",
			i, i, i, 2000+i*7%27, []string{"assigned", "refused", "\\u001b[2J"}[i%3], i, 100000+i, i)
	}
	if err := os.WriteFile(log, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	text := openMetrics(t, log)
	if series := len(parse(t, strings.NewReader(text))); series > 3000 {
		t.Errorf("%d series", series)
	}
	for _, hostile := range []string{"fleet1", "hub1", "\x1b", "100007", "d17"} {
		if strings.Contains(text, `"`+hostile) {
			t.Errorf("%q is a label", hostile)
		}
	}
	if len(text) > 64<<20 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestLogThatIsNotThereIsSaid(t *testing.T) {
	if err := prom.OpenMetrics(&strings.Builder{}, "none.ndjson"); err == nil || !strings.Contains(err.Error(), "none.ndjson") {
		t.Error(err)
	}
}
