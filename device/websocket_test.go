package device_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"dpsfleet/device"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/provisioning/wsnet"
)

// front stands before a script and serves HTTP, as Azure does on port 443.
type front struct {
	network memnet.Network
	server  *http.Server
	serving sync.WaitGroup

	mu    sync.Mutex
	asked []string
}

// inFront sends a device's connections through handler.
func inFront(t *testing.T, f *front, handler http.HandlerFunc) change {
	t.Helper()
	l, err := f.network.Listen("tcp", endpoint)
	if err != nil {
		t.Fatal(err)
	}
	f.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+r.Host+r.URL.Path)
		f.mu.Unlock()
		handler(w, r)
	})}
	f.serving.Go(func() { f.server.Serve(l) })
	return func(_ *device.Device, target *device.Target) {
		target.WebSocket = true
		target.Dial = f.network.Dial
		target.ServerName = "global.azure-devices-provisioning.net"
	}
}

func (f *front) close() {
	f.server.Close()
	f.serving.Wait()
}

func TestBootOverWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var behind *device.Target
		var f front
		dial := func(_ *device.Device, target *device.Target) { copied := *target; behind = &copied }
		change := inFront(t, &f, func(w http.ResponseWriter, r *http.Request) {
			conn, err := wsnet.Upgrade(w, r, "mqtt")
			if err != nil {
				return
			}
			back, err := behind.Dial(context.Background(), "tcp", endpoint)
			if err != nil {
				conn.Close()
				return
			}
			f.serving.Go(func() { io.Copy(back, conn); back.Close() })
			f.serving.Go(func() { io.Copy(conn, back); conn.Close() })
		})
		b := play(t, t.Context(), good(), dial, change)
		f.close()
		const life = "0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 6s off"
		if b.life != life {
			t.Errorf("life\n got %s\nwant %s", b.life, life)
		}
		want := []string{
			"GET global.azure-devices-provisioning.net:8883/$iothub/websocket",
			"GET " + hubName + ":8883/$iothub/websocket", // through the gateway
		}
		if !slices.Equal(f.asked, want) {
			t.Errorf("asked\n got %q\nwant %q", f.asked, want)
		}
	})
}

func TestBootWhereNoWebSocketIs(t *testing.T) {
	tests := map[int]struct {
		cause    device.Cause
		attempts int
	}{
		404: {device.CauseNoWebSocket, 4},
		503: {"", 15}, // it may pass: until the boot's time is over
	}
	for status, want := range tests {
		synctest.Test(t, func(t *testing.T) {
			var f front
			b := play(t, t.Context(), good(), inFront(t, &f, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			f.close()
			failure := b.failure(t)
			waits := strings.Count(b.life, "waiting")
			if failure.Cause != want.cause || waits > want.attempts {
				t.Errorf("%d: ended with cause %q after %d pauses: %v", status, failure.Cause, waits, failure)
			}
			if want.cause != "" && (failure.Outcome != device.OutcomeUnreachable || len(f.asked) != want.attempts) {
				t.Errorf("%d: %s after %d attempts", status, failure.Outcome, len(f.asked))
			}
		})
	}
}
