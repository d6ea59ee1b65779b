package scenarios_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

// A device's first boot makes its handshakes in full. With resume the others take
// up their sessions, at DPS and at the hub, in both versions; with a certificate too,
// which the cloud then knows from the session.
func TestRebootsResumeTLS(t *testing.T) {
	const resumed = "tls 1, tls_resumed 2, join 1, join_resumed 2"
	tests := []struct {
		name, tls, group, want string
	}{
		{"1.3", `{min: "1.3", resume: true}`, "{policy: contoso}", resumed},
		{"1.2", `{max: "1.2", resume: true}`, "{policy: contoso}", resumed},
		{"1.3 with a certificate", `{min: "1.3", resume: true}`, "{policy: contoso, attestation: x509}", resumed},
		{"1.2 with a certificate", `{max: "1.2", resume: true}`, "{policy: contoso, attestation: x509}", resumed},
		{"not asked for", `{min: "1.3"}`, "{policy: contoso}", "tls 3, join 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(oneToaster, "{policy: contoso}", test.group, 1) + "tls: " + test.tls + "\n"
			s := read(t, strings.Replace(text, "count: 1", "count: 1, reboots: {times: 2, after: 0s, factoryReset: 100%}", 1))
			log := filepath.Join(t.TempDir(), "x.ndjson")
			r := overTLS(t, s, log)
			if r.ExitCode() != 0 || handshakesOf(r) != test.want {
				t.Errorf("%s: %s, want %s", r.Verdict(), handshakesOf(r), test.want)
			}
			again, err := metrics.ReportLog(log)
			if err != nil || handshakesOf(again) != test.want {
				t.Errorf("the log says %s, %v", handshakesOf(again), err)
			}
		})
	}
}

// Who renews its token takes up the session, in the same boot.
func TestRenewalsResumeTLS(t *testing.T) {
	s := read(t, strings.Replace(oneToaster, "count: 1", "count: 1, until: online, stay: 2500ms", 1)+"tls: {resume: true}\nlimits: {token: 1s}\n")
	resumed := 0
	env := scenarios.Env{Watch: scenarios.Watch{Event: func(e device.Event) {
		if e.Resumed {
			resumed++
		}
	}}}
	if r, err := scenarios.Run(t.Context(), quick(s), env); err != nil || r.ExitCode() != 0 || resumed == 0 {
		t.Errorf("%s, %d resumed, %v", r.Verdict(), resumed, err)
	}
}

// handshakesOf counts them, as the report has them.
func handshakesOf(r metrics.Report) string {
	var parts []string
	for _, times := range r.Times {
		if strings.HasPrefix(times.Metric, "tls") || strings.HasPrefix(times.Metric, "join") {
			parts = append(parts, fmt.Sprint(times.Metric, " ", times.Count))
		}
	}
	return strings.Join(parts, ", ")
}
