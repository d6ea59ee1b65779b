package scenarios_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

// twoSources are two addresses of this machine; macOS has but the first.
func twoSources(t *testing.T) []string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("NOT TESTED WITH SEVERAL LOCAL ADDRESSES, WHICH THIS MACHINE HAS NOT: ", err)
	}
	l.Close()
	return []string{"127.0.0.1", "127.0.0.2"}
}

// visitors counts connections by who came from where, and to which door.
type visitors struct {
	mu   sync.Mutex
	from map[string]int
}

func (v *visitors) came(nc net.Conn, door string) {
	host, _, _ := net.SplitHostPort(nc.RemoteAddr().String())
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.from == nil {
		v.from = make(map[string]int)
	}
	v.from[host+" "+door]++
}

// String has them in order.
func (v *visitors) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var parts []string
	for _, who := range slices.Sorted(maps.Keys(v.from)) {
		parts = append(parts, fmt.Sprint(who, ": ", v.from[who]))
	}
	return strings.Join(parts, ", ")
}

// door is another address of a server.
func (v *visitors) door(t *testing.T, name, server string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			v.came(nc, name)
			go join(nc, server)
		}
	}()
	return l.Addr().String()
}

// join carries bytes both ways until both have ended.
func join(nc net.Conn, server string) {
	defer nc.Close()
	other, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer other.Close()
	go func() {
		io.Copy(other, nc)
		other.Close()
	}()
	io.Copy(nc, other)
}

// Eight devices, two addresses here and two there: each pair has two of them, who
// go there for DPS and, since it is the hubs' gateway too, for their hub. In a shard
// it is no different.
func TestDevicesAreSpread(t *testing.T) {
	for shards, want := range map[int]int{1: 4, 2: 2} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			var v visitors
			s := targeting(t, 8)
			s.Sources = twoSources(t)
			s.Target.Endpoints = []string{v.door(t, "a", s.Target.DPS), v.door(t, "b", s.Target.DPS)}
			r, err := scenarios.Run(t.Context(), s, scenarios.Env{Shards: shards})
			if err != nil || r.ExitCode() != 0 || r.Accounted != 8/shards {
				t.Fatal(err, r.Verdict(), r.Failures, r.Unexpected)
			}
			text := fmt.Sprintf("127.0.0.1 a: %[1]d, 127.0.0.1 b: %[1]d, 127.0.0.2 a: %[1]d, 127.0.0.2 b: %[1]d", want)
			if got := v.String(); got != text {
				t.Errorf("%s; want %s", got, text)
			}
		})
	}
}

func TestCallsAreSpread(t *testing.T) {
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, toasterAnswer) }))
	defer webhook.Close()
	var v visitors
	address := strings.TrimPrefix(webhook.URL, "http://")
	no := false
	s := oneCall(metrics.Expectation{Outcome: device.OutcomeAssigned})
	s.Sources = twoSources(t)
	s.Target.Webhook, s.Target.HTTP, s.Fleets[0].Count = webhook.URL, scenarios.HTTP{KeepAlive: &no}, 8
	s.Target.Endpoints = []string{v.door(t, "a", address), v.door(t, "b", address)}
	r, err := scenarios.Run(t.Context(), s, scenarios.Env{})
	if err != nil || !r.Passed() {
		t.Fatal(err, r.Failures, r.Unexpected)
	}
	if got, want := v.String(), "127.0.0.1 a: 2, 127.0.0.1 b: 2, 127.0.0.2 a: 2, 127.0.0.2 b: 2"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// What cannot be is said before anything starts.
func TestSourcesThatAreNotHere(t *testing.T) {
	for source, test := range map[string]struct {
		network scenarios.Network
		want    string
	}{
		"192.0.2.1": {scenarios.NetworkTLS, "local address 192.0.2.1: 1 needed, 0 there"},
		"127.0.0.1": {scenarios.NetworkMemory, "--network memory has none"},
	} {
		s := read(t, oneToaster+"sources: ["+source+"]\n")
		if _, err := scenarios.Run(t.Context(), s, scenarios.Env{Network: test.network}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}

// An endpoint is a host that is loaded, as any.
func TestEndpointsAreGuarded(t *testing.T) {
	s := targeting(t, 1)
	s.Target.Endpoints = []string{"192.0.2.1:8883", "192.0.2.2:8883"}
	for mine, refused := range map[string]string{"": "192.0.2.1", "192.0.2.1": "192.0.2.2", "192.0.2.1,192.0.2.2": ""} {
		err := s.Guard(mine)
		if guard, _ := err.(*scenarios.GuardError); refused == "" && err != nil || refused != "" && (guard == nil || guard.Host != refused) {
			t.Errorf("with %q: %v, want %q refused", mine, err, refused)
		}
	}
}
