//go:build unix

package scenarios_test

import (
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"dpsfleet/fleet"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/scenarios"
)

// answerAtOnce is a webhook that only answers.
func answerAtOnce() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	say("http://" + listener.Addr().String() + allocation.Path)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write([]byte(toasterAnswer))
	}))
	sayUsage()
}

func startWebhook(b *testing.B) (url string) {
	startProcess(b, "webhook", nil, &url)
	return url
}

const (
	stressWorkers = 64
	stressRound   = time.Second
)

// BenchmarkStress holds the rate of our calls, each answer checked, against the
// highest of vegeta's, with the same workers, connections and size of body, in
// turns against one process that answers at once.
func BenchmarkStress(b *testing.B) {
	for name, log := range map[string]string{"NoLog": "", "Log": "stress.ndjson"} {
		b.Run(name, func(b *testing.B) {
			url := startWebhook(b)
			var ours, theirs float64
			for b.Loop() {
				if log != "" {
					log = filepath.Join(b.TempDir(), "stress.ndjson")
				}
				theirs += vegetaRate(b, url)
				ours += stressRate(b, url, log)
			}
			b.ReportMetric(ours/float64(b.N), "ours/s")
			b.ReportMetric(theirs/float64(b.N), "vegeta/s")
			b.ReportMetric(ours/theirs, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func stressScenario(b *testing.B, url string) scenarios.Scenario {
	s := scenarios.Stress().Calling(scenarios.Target{
		Webhook: url,
		Hubs:    scenarios.TutorialHubs(),
		HTTP:    scenarios.HTTP{Connections: stressWorkers},
	})
	s.Limits.InFlight = stressWorkers
	shape, err := fleet.ParseShape("constant 100000/s") // the order of the devices; a closed model knows no rate
	if err != nil {
		b.Fatal(err)
	}
	if s, err = s.Arriving(scenarios.Stages{shape}, 4*stressRound); err != nil {
		b.Fatal(err)
	}
	return s
}

func stressRate(b *testing.B, url, log string) float64 {
	env := scenarios.Env{Version: "bench", LogPath: log, Closed: true, For: stressRound}
	s := stressScenario(b, url)
	runtime.GC()
	began := time.Now()
	r, err := scenarios.Run(b.Context(), s, env)
	if err != nil || r.ExitCode() != 0 || r.Accounted == 0 {
		b.Fatal(err, r.Verdict(), r.Failures, r.Run.Health, r.Unexpected)
	}
	return float64(r.Accounted) / time.Since(began).Seconds()
}

func vegetaRate(b *testing.B, url string) float64 {
	attacker := vegeta.NewAttacker(vegeta.Workers(stressWorkers), vegeta.MaxWorkers(stressWorkers), vegeta.Connections(stressWorkers), vegeta.MaxConnections(stressWorkers))
	targets := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodPost, URL: url, Body: sampleBody(), Header: http.Header{"Content-Type": {"application/json"}}})
	runtime.GC()
	var m vegeta.Metrics
	began := time.Now()
	for result := range attacker.Attack(targets, vegeta.Rate{}, stressRound, "vegeta") {
		m.Add(result)
	}
	m.Close()
	if m.Success != 1 {
		b.Fatal(m.Errors)
	}
	return float64(m.Requests) / time.Since(began).Seconds()
}

// sampleBody is a request of ours, for vegeta to send.
func sampleBody() []byte {
	id := "breakroom100000-contoso-tstrsd-007"
	hubs := scenarios.TutorialHubs()
	return allocation.Request{
		EnrollmentGroup: &provisioning.Enrollment{
			EnrollmentGroupID: "contoso-custom-allocated-devices",
			Attestation:       provisioning.Attestation{Type: provisioning.AttestSymmetricKey},
			Capabilities:      &provisioning.Capabilities{},
			ETag:              `"00000001-0000-0300-0000-6b03afd10000"`,
			Provisioning:      provisioning.ProvisioningEnabled,
			Reprovision:       &provisioning.ReprovisionPolicy{UpdateHubAssignment: true, MigrateDeviceData: true},
			Created:           provisioning.Timestamp{Time: time.Now()},
			LastUpdated:       provisioning.Timestamp{Time: time.Now()},
			Allocation:        provisioning.AllocateCustom,
			IoTHubs:           hubs,
			CustomAllocation:  &provisioning.CustomAllocationDefinition{WebhookURL: "http://127.0.0.1:65535" + allocation.Path, APIVersion: provisioning.AllocationAPIVersion},
		},
		DeviceRuntimeContext: allocation.RuntimeContext{
			RegistrationID: &id, SymmetricKey: &struct{}{},
			Payload: []byte(`{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0"}`),
		},
		LinkedHubs: hubs,
	}.JSON()
}
