//go:build unix

package scenarios_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"dpsfleet/scenarios"
)

const nodeSDKs = "../provisioning/emulator/testdata/node"

// BenchmarkBootNode is what a boot costs Microsoft's SDK for Node, in one process,
// bootAtOnce devices at a time, beside what it costs ours, in turns against the
// same cloud over TLS 1.3. That SDK waits for two seconds where DPS names no
// pause, so only its CPU is compared.
func BenchmarkBootNode(b *testing.B) {
	if _, err := os.Stat(filepath.Join(nodeSDKs, "node_modules", ".package-lock.json")); err != nil {
		if os.Getenv("CI") == "true" {
			b.Fatal(err)
		}
		b.Skip("Microsoft's Node SDKs are missing; make clients installs them")
	}
	defer scenarios.CollectLess(0)()
	w := way{Network: scenarios.NetworkTLS, Version: 0x0304}
	cloud := cloudProcess(b, w)
	devices := newBooter(w.target(cloud.place))
	sdk := startNode(b, cloud)
	var ours, theirs time.Duration
	boots := 0
	for b.Loop() {
		before := usedHere()
		if err := devices.boots(bootBatch); err != nil {
			b.Fatal(err)
		}
		ours += usedHere().since(before).CPU
		theirs += sdk.boot(devices, bootBatch)
		boots += bootBatch
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(boots), "boot-device-µs")
	b.ReportMetric(float64(theirs.Microseconds())/float64(boots), "node-device-µs")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "node:boot-CPU")
	b.ReportMetric(0, "ns/op")
}

// startNode starts bench.js with trust in the cloud's authority.
func startNode(b *testing.B, cloud *server) *process {
	ca := filepath.Join(b.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, cloud.CA, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("node", "bench.js")
	cmd.Dir, cmd.Stderr = nodeSDKs, os.Stderr
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca)
	return start(b, cmd)
}

// boot has the SDK boot n devices, and returns the CPU time that it took.
func (p *process) boot(t *booter, n int) time.Duration {
	type credentials struct {
		RegistrationID string `json:"registrationId"`
		Key            string `json:"key"`
	}
	devices := make([]credentials, n)
	for i := range devices {
		d := t.next()
		devices[i] = credentials{d.ID, d.Key.Base64()}
	}
	json.NewEncoder(p.in).Encode(map[string]any{
		"port": portOf(t.target.Endpoint), "idScope": t.target.IDScope, "atOnce": bootAtOnce, "devices": devices,
	})
	var told struct{ CPU, Took time.Duration }
	p.hear(&told)
	return told.CPU
}
