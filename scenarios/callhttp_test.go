package scenarios_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

func TestHTTPIsAsTheTargetSays(t *testing.T) {
	no := false
	for name, test := range map[string]struct {
		http  scenarios.HTTP
		major int
		conns func(int64) bool
	}{
		"HTTP2":       {scenarios.HTTP{HTTP2: true}, 2, func(n int64) bool { return n <= 20 }},
		"NoKeepAlive": {scenarios.HTTP{KeepAlive: &no}, 1, func(n int64) bool { return n == 20 }},
		"Connections": {scenarios.HTTP{Connections: 2}, 1, func(n int64) bool { return n == 2 || n == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			var conns, other atomic.Int64
			webhook := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != test.major {
					other.Add(1)
				}
				io.WriteString(w, toasterAnswer)
			}))
			webhook.Config.Protocols = new(http.Protocols)
			webhook.Config.Protocols.SetHTTP1(true)
			webhook.Config.Protocols.SetUnencryptedHTTP2(true)
			webhook.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					conns.Add(1)
				}
			}
			webhook.Start()
			defer webhook.Close()
			s := oneCall(metrics.Expectation{Outcome: device.OutcomeAssigned})
			s.Target.Webhook, s.Target.HTTP, s.Fleets[0].Count = webhook.URL, test.http, 20
			r, err := scenarios.Run(t.Context(), s, scenarios.Env{})
			if err != nil || !r.Passed() || other.Load() != 0 || !test.conns(conns.Load()) {
				t.Errorf("%v %v, %d connections, %d calls of another version", err, r.Failures, conns.Load(), other.Load())
			}
		})
	}
}
