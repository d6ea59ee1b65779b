package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

// quick makes a scenario answer at once, for runs on a real network.
func quick(s scenarios.Scenario) scenarios.Scenario {
	cloud, fast := *s.Cloud, emulator.Exactly(0)
	cloud.Answers = &scenarios.Answers{Register: &fast, Allocate: &fast, RetryAfter: &fast}
	s.Cloud = &cloud
	return s
}

// overTLS plays a scenario on loopback.
func overTLS(t *testing.T, s scenarios.Scenario, log string) metrics.Report {
	t.Helper()
	r, err := scenarios.Run(t.Context(), quick(s), scenarios.Env{Network: scenarios.NetworkTLS, Version: "test", LogPath: log})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const certified = `
name: certified
cloud:
  linkedHubs: [contoso-toasters-hub.azure-devices.net]
  enrollmentGroups: {g: {policy: contoso, attestation: x509}}
fleets:
  f: {model: toaster, count: 3, expect: {hub: "*-toasters-*"}}
`

// An authority of one's own signs the devices' certificates, if its file has the
// key; a certificate alone is enough for devices elsewhere only.
func TestAuthorityBesideTheScenario(t *testing.T) {
	authority, err := provisioning.NewAuthority("mine", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := authority.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(certified, "attestation: x509", "attestation: x509, ca: ca.pem", 1)
	for _, test := range []struct {
		name string
		pem  []byte
		runs bool
	}{{"with its key", append(authority.PEM(), key...), true}, {"without", authority.PEM(), false}} {
		t.Run(test.name, func(t *testing.T) {
			s, err := scenarios.Read("s.yaml", []byte(text), fstest.MapFS{"ca.pem": {Data: test.pem}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := scenarios.Run(t.Context(), quick(s), scenarios.Env{Version: "test"})
			if test.runs && (err != nil || r.ExitCode() != 0) {
				t.Errorf("exit code %d, %v", r.ExitCode(), err)
			}
			if !test.runs && (err == nil || !strings.Contains(err.Error(), "put the authority's key into its file")) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCertificatesNeedTLS(t *testing.T) {
	for _, network := range []scenarios.Network{scenarios.NetworkMemory, scenarios.NetworkTCP} {
		_, err := scenarios.Run(t.Context(), read(t, certified), scenarios.Env{Network: network, Version: "test"})
		if err == nil || !strings.Contains(err.Error(), "--network "+string(network)+" has not; use --network tls or wss") {
			t.Errorf("%s: got %v", network, err)
		}
	}
}

// A certificate that nobody knows is a mistake in the set-up, which is said once.
func TestRefusedCertificatesStopTheRun(t *testing.T) {
	s := read(t, strings.Replace(certified, "count: 3", "count: 3, certificate: self-signed", 1))
	_, err := scenarios.Run(t.Context(), quick(s), scenarios.Env{Version: "test"})
	if err == nil || !strings.Contains(err.Error(), "DPS refused the devices' certificate") || !strings.Contains(err.Error(), "Invalid certificate.") {
		t.Errorf("got %v", err)
	}
}

func TestCertificatesOverWebSocket(t *testing.T) {
	r, err := scenarios.Run(t.Context(), quick(read(t, certified)), scenarios.Env{Network: scenarios.NetworkWSS, Version: "test"})
	if err != nil || r.ExitCode() != 0 {
		t.Errorf("exit code %d, %v", r.ExitCode(), err)
	}
}

func TestNoPrivateKeyIsInTheLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "x.ndjson")
	overTLS(t, read(t, certified), log)
	for _, file := range []string{log, strings.TrimSuffix(log, ".ndjson") + ".run.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "PRIVATE KEY") {
			t.Errorf("%s holds a private key", file)
		}
	}
}
