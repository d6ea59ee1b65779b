package emulator_test

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/memnet"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	scope        = "0ne00002193"
	groupID      = "contoso-custom-allocated-devices"
	toastersHub  = "contoso-toasters-hub-1098.azure-devices.net"
	heatpumpsHub = "contoso-heatpumps-hub-1098.azure-devices.net"
	toaster      = "breakroom499-contoso-tstrsd-007"
	heatpump     = "mainbuilding167-contoso-hpsd-088"

	// The tutorial's group key and the device key that it prints for the
	// toaster.
	tutorialKey = "oiK77Oy7rBw8YB6IS6ukRChAw+Yq6GC61RMrPLSTiOOtdI+XDu0LmLuNm11p+qv2I+adqGUdZHm46zXAQdZoOA=="
	toasterKey  = "JC8F96eayuQwwz+PkE7IzjH2lIAjCUnAa61tDigBnSs="
)

func key(t testing.TB, text string) provisioning.Key {
	t.Helper()
	k, err := provisioning.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// group is the tutorial's enrollment group.
func group(t testing.TB) emulator.Enrollment {
	contoso := allocation.Contoso()
	return emulator.Enrollment{
		Enrollment: provisioning.Enrollment{
			EnrollmentGroupID: groupID,
			Attestation: provisioning.Attestation{
				SymmetricKey: &provisioning.SymmetricKey{Primary: key(t, tutorialKey)},
			},
		},
		Policy: &contoso,
	}
}

// static is the tutorial's group with the policy that needs no webhook.
func static(t testing.TB) emulator.Enrollment {
	e := group(t)
	e.Policy, e.Allocation = nil, provisioning.AllocateStatic
	return e
}

func contoso(t testing.TB) emulator.Config {
	return emulator.Config{
		LinkedHubs:  []string{toastersHub, heatpumpsHub},
		Enrollments: []emulator.Enrollment{group(t)},
		Seed:        7,
	}
}

// world is a cloud with its network and what it recorded.
type world struct {
	t       testing.TB
	network *memnet.Network
	cloud   *emulator.Cloud
	log     *logBuffer

	mu        sync.Mutex
	exchanges []provisioning.Exchange
}

// startIn starts a cloud on a network of its own. It must be closed by the test
// itself, because a bubble waits for it before cleanups run.
func startIn(t testing.TB, cfg emulator.Config) *world {
	t.Helper()
	w := &world{t: t, network: new(memnet.Network), log: new(logBuffer)}
	cfg.Listen, cfg.Dial = w.network.Listen, w.network.Dial
	cfg.Record = w.record
	cfg.Log = slog.New(slog.NewTextHandler(w.log, nil))
	cloud, err := emulator.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.cloud = cloud
	return w
}

func (w *world) close() {
	if err := w.cloud.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) record(x provisioning.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges = append(w.exchanges, x)
}

// recorded is what was recorded of a kind.
func (w *world) recorded(kind provisioning.ExchangeKind) []provisioning.Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []provisioning.Exchange
	for _, x := range w.exchanges {
		if x.Kind == kind {
			found = append(found, x)
		}
	}
	return found
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// hook serves a webhook on the world's network until stop is called.
func (w *world) hook(address string, h http.HandlerFunc) (stop func()) {
	listener, err := w.network.Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	return func() { server.Close(); <-done }
}

// golden compares text with a file of testdata, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs\n got: %s\nwant: %s", path, got, want)
	}
}

func token(k provisioning.Key, resource string, life time.Duration) string {
	return provisioning.SignToken(k, resource, time.Now().Add(life), provisioning.DPSKeyName)
}

func userName(id string) string { return scope + "/registrations/" + id + "/api-version=2019-03-31" }

func contains(t *testing.T, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s does not contain %q:\n%s", what, part, text)
	}
}

// quiet is startIn without a record, for loops.
func quiet(t testing.TB, cfg emulator.Config) *world {
	t.Helper()
	w := &world{t: t, network: new(memnet.Network), log: new(logBuffer)}
	cfg.Listen, cfg.Dial = w.network.Listen, w.network.Dial
	cloud, err := emulator.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.cloud = cloud
	return w
}
