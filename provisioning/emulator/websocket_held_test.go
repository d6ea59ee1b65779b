package emulator_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"dpsfleet/provisioning/emulator"
)

// TestOneGoroutineForEachHeldWebSocket, and no buffer of net/http's.
func TestOneGoroutineForEachHeldWebSocket(t *testing.T) {
	const devices = 100
	cfg, fast := withFace(contoso(t)), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(t)}
	w := startIn(t, cfg)
	defer w.close()
	before := runtime.NumGoroutine()
	for range devices {
		c := w.webSocket("/$iothub/websocket", "mqtt")
		defer c.nc.Close()
		c.connect(connectPacket(toaster, userName(toaster), goodToken(t, toaster)))
		c.subscribe(1, answerFilter)
	}
	if added := runtime.NumGoroutine() - before; added > devices+10 {
		t.Errorf("%d goroutines for %d WebSockets", added, devices)
	}
}

// BenchmarkIdleWebSocket reports the bytes that a held WebSocket costs, both ends
// of it, beside BenchmarkIdleConnection.
func BenchmarkIdleWebSocket(b *testing.B) {
	cfg, fast := withFace(contoso(b)), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(b)}
	w := quiet(b, cfg)
	defer w.close()
	const held = 2000
	for b.Loop() {
		before := heap()
		var conns []net.Conn
		for range held {
			conns = append(conns, w.heldWebSocket())
		}
		b.ReportMetric(float64(heap()-before)/held, "B/conn")
		for _, nc := range conns {
			nc.Close()
		}
	}
}

// heldWebSocket has no buffers at the client's end.
func (w *world) heldWebSocket() net.Conn {
	w.t.Helper()
	nc, err := w.network.Dial(context.Background(), "tcp", w.cloud.HTTPSAddr())
	if err != nil {
		w.t.Fatal(err)
	}
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	for end := ""; !strings.HasSuffix(end, "\r\n\r\n"); {
		var b [1]byte
		if _, err := nc.Read(b[:]); err != nil {
			w.t.Fatal(err)
		}
		end += string(b[:])
	}
	var hello strings.Builder
	connectPacket(toaster, userName(toaster), goodToken(w.t, toaster)).Write(&hello)
	masked := append([]byte{0x82, 0x80 | 126, byte(hello.Len() >> 8), byte(hello.Len()), 0, 0, 0, 0}, hello.String()...)
	nc.Write(masked)
	io.ReadFull(nc, make([]byte, len("\x82\x04\x20\x02\x00\x00"))) // CONNACK
	return nc
}
