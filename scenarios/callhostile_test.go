package scenarios_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

// badWebhook serves each connection with one answer, after it has read the request,
// over TCP as it is.
func badWebhook(t *testing.T, answer func(*net.TCPConn)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				if req, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
					io.Copy(io.Discard, req.Body)
					answer(nc.(*net.TCPConn))
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/api/HttpTrigger1"
}

// gigabyte writes one, as far as it is taken.
func gigabyte(w io.Writer) {
	for chunk := bytes.Repeat([]byte(" "), 1<<16); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// bomb is a gigabyte of blanks, packed: a megabyte again and again, which gzip
// takes as one (RFC 1952, 2.2).
func bomb() []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(bytes.Repeat([]byte(" "), 1<<20))
	w.Close()
	return bytes.Repeat(packed.Bytes(), 1<<10)
}

// What a webhook does to its callers is counted, and costs them no more memory
// than an answer may have, however much is offered.
func TestAHostileWebhookCostsBoundedMemoryAndIsCounted(t *testing.T) {
	packed := bomb()
	failed := metrics.Expectation{Outcome: device.OutcomeFailed, Code: metrics.ExpectedCode(provisioning.CustomAllocationFailed)}
	for name, test := range map[string]struct {
		answer func(*net.TCPConn)
		want   metrics.Expectation
	}{
		"Gigabyte": {func(nc *net.TCPConn) {
			fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", 1<<30)
			gigabyte(nc)
		}, failed},
		"GigabyteUnannounced": {func(nc *net.TCPConn) {
			io.WriteString(nc, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
			gigabyte(nc)
		}, failed},
		"GigabyteOfHeader": {func(nc *net.TCPConn) {
			io.WriteString(nc, "HTTP/1.1 200 OK\r\nX-Long: ")
			gigabyte(nc)
		}, metrics.Expectation{Outcome: device.OutcomeUnreachable}},
		"GzipBomb": {func(nc *net.TCPConn) {
			fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(packed))
			nc.Write(packed)
		}, failed},
		"Reset": {func(nc *net.TCPConn) { nc.SetLinger(0) }, metrics.Expectation{Outcome: device.OutcomeUnreachable}},
		"ResetInTheMiddle": {func(nc *net.TCPConn) {
			io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+toasterAnswer)
			nc.SetLinger(0)
		}, metrics.Expectation{Outcome: device.OutcomeUnreachable}},
		"NeverAnswers": {func(nc *net.TCPConn) { io.Copy(io.Discard, nc) }, metrics.Expectation{Outcome: device.OutcomeTimeout}},
	} {
		t.Run(name, func(t *testing.T) {
			const calls, each = 20, 16 << 20 // its answers are cut at 1 MB
			s := oneCall(test.want)
			s.Target.Webhook, s.Fleets[0].Count = badWebhook(t, test.answer), calls
			if name == "NeverAnswers" {
				s.Target.HTTP.Timeout = scenarios.Duration(200 * time.Millisecond)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r, err := scenarios.Run(t.Context(), s, scenarios.Env{})
			runtime.ReadMemStats(&after)
			if err != nil || !r.Passed() || r.Accounted != calls {
				t.Errorf("%v %s %v %+v", err, r.Verdict(), r.Failures, r.Unexpected)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > calls*each {
				t.Errorf("%d calls took %d MB in all", calls, took>>20)
			}
			t.Logf("%d KB a call", (after.TotalAlloc-before.TotalAlloc)>>10/calls)
		})
	}
}
