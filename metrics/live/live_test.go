package live_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/live"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/scenarios"
)

// snapshot is some of what the page's script is sent.
type snapshot struct {
	Scenario string
	Over     bool
	Verdict  struct{ State, Text string }
	Planned  int
	Due      int
	Ended    int
	Series   struct {
		Width        float64
		Due, Started []int
		Stages       []struct {
			Name   string
			Values []int
		}
	}
	Hubs []struct {
		Name     string
		Count    int
		Declared bool
	}
	Outcomes []struct {
		Outcome, Code     string
		Count, Unexpected int
		Examples          []struct {
			ID, Fleet, Sentence string
			Met                 bool
		}
	}
	Times      []struct{ Name string }
	Thresholds []struct{ State string }
}

// inMemory serves the page inside the process.
func inMemory(t *testing.T, page *live.Page) *memnet.Network {
	t.Helper()
	network := &memnet.Network{}
	listener, err := network.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: page.Handler()}
	done := make(chan struct{})
	go func() { server.Serve(listener); close(done) }()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return network
}

// ask opens a connection for snapshots that nobody reads yet.
func ask(t *testing.T, network *memnet.Network) net.Conn {
	t.Helper()
	conn, err := network.Dial(t.Context(), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// listen reads all snapshots until the server is done, and whether it said so.
func listen(t *testing.T, conn net.Conn) (all []snapshot, over bool) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Error(err)
		return nil, false
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if lines.Text() == "event: over" {
			return all, true
		}
		if !ok {
			continue
		}
		var s snapshot
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			t.Error(err)
		}
		all = append(all, s)
	}
	return all, false
}

// One browser reads and one never does: the run goes at its pace, the reader gets a
// snapshot a second, and the other is sent away.
func TestAStuckBrowserIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := live.New(live.Options{Clients: 2})
		network := inMemory(t, page)
		stuck := ask(t, network)
		reader := ask(t, network)
		synctest.Wait()
		heard := make(chan []snapshot, 1)
		go func() {
			all, _ := listen(t, reader)
			heard <- all
		}()
		s := shipped(t, "contoso-mixed", 0.04)
		alone := played(t, s)
		start := time.Now()
		r := played(t, s, page.Fold())
		if more := r.Took - alone.Took; more.Duration().Abs() > 10*time.Millisecond {
			t.Errorf("with somebody who does not read it took %s, alone %s", r.Took, alone.Took)
		}
		if took := time.Since(start); took > r.Took.Duration()+time.Second {
			t.Errorf("it was over after %v, and the program went on after %v", r.Took, took)
		}
		for time.Since(start) < 2*time.Minute && full(network) {
			feed(page, 100)
		}
		if full(network) {
			t.Error("the browser that reads nothing is still there")
		}
		page.Close()
		all := <-heard
		if n := len(all); n < int(r.Took.Duration().Seconds()) {
			t.Errorf("%d snapshots in %s", n, r.Took)
		}
		io.Copy(io.Discard, stuck)
	})
}

// full reports whether no browser more may look.
func full(network *memnet.Network) bool {
	client := &http.Client{Transport: &http.Transport{DialContext: network.Dial, DisableKeepAlives: true}}
	response, err := client.Get("http://127.0.0.1:80/events")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusServiceUnavailable
}

// feed is a run of so many seconds in which nothing happens.
func feed(page *live.Page, seconds int) {
	info := metrics.RunInfo{Scenario: strings.Repeat("long ", 20), Target: strings.Repeat("far ", 70), Started: time.Now()}
	for i := range 20 {
		info.Fleets = append(info.Fleets, metrics.Fleet{Name: fmt.Sprint(strings.Repeat("fleet", 10), i)})
	}
	c, err := metrics.NewCollector(info, nil, page.Fold())
	if err != nil {
		panic(err)
	}
	for range seconds {
		time.Sleep(time.Second)
		c.Progress(time.Now())
	}
}

func played(t *testing.T, s scenarios.Scenario, folds ...metrics.Fold) metrics.Report {
	t.Helper()
	r, err := scenarios.Run(t.Context(), s, scenarios.Env{Network: scenarios.NetworkMemory, Version: "test", Folds: folds})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What the page ends with is what the report says.
func TestTheEndIsTheReports(t *testing.T) {
	for name, scale := range map[string]float64{"contoso-mixed": 0.045, "webhook-down": 0.7, "disabled-device": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				page := live.New(live.Options{})
				network := inMemory(t, page)
				conn := ask(t, network)
				heard := make(chan []snapshot, 1)
				go func() {
					all, over := listen(t, conn)
					if !over {
						t.Error("the page was not told that nothing more comes")
					}
					heard <- all
				}()
				r := played(t, shipped(t, name, scale), page.Fold())
				page.Close()
				agree(t, <-heard, r)
			})
		})
	}
}

func agree(t *testing.T, all []snapshot, r metrics.Report) {
	t.Helper()
	if len(all) < 2 {
		t.Fatalf("%d snapshots", len(all))
	}
	for i, s := range all[:len(all)-1] {
		if s.Over || i > 0 && s.Ended < all[i-1].Ended {
			t.Errorf("snapshot %d: over %t, %d ended", i, s.Over, s.Ended)
		}
	}
	s := all[len(all)-1]
	if !s.Over || s.Verdict.Text != r.Verdict() || s.Ended != r.Accounted || s.Due != r.Due || len(s.Times) != len(r.Times) || len(s.Thresholds) != len(r.Thresholds) {
		t.Errorf("%+v\nof %+v", s, r)
	}
	if due, started := sum(s.Series.Due), sum(s.Series.Started); due != r.Due || started != r.Due-r.Dropped {
		t.Errorf("%d arrivals were due and %d started, of %d", due, started, r.Due)
	}
	counts := make(map[device.Outcome]int)
	for _, o := range s.Outcomes {
		counts[device.Outcome(o.Outcome)] += o.Count
		if len(o.Examples) == 0 || len(o.Examples) > 7 || o.Unexpected > 0 && o.Examples[0].Met {
			t.Errorf("%s: %+v", o.Outcome, o.Examples)
		}
	}
	hubs := 0
	for _, h := range s.Hubs {
		hubs += h.Count
	}
	for _, f := range r.Fleets {
		for outcome, n := range f.Outcomes {
			counts[outcome] -= n
			if outcome == device.OutcomeAssigned {
				hubs -= n
			}
		}
	}
	for outcome, n := range counts {
		if n != 0 {
			t.Errorf("%s is %d off", outcome, n)
		}
	}
	if hubs != 0 {
		t.Errorf("hubs are %d off", hubs)
	}
}

func sum(values []int) (n int) {
	for _, v := range values {
		n += v
	}
	return n
}

func TestWhoIsAnswered(t *testing.T) {
	get := func(method, path, host string, header ...string) (string, http.Header) {
		r := httptest.NewRequest(method, "http://"+host+path, nil)
		if len(header) == 2 {
			r.Header.Set(header[0], header[1])
		}
		w := httptest.NewRecorder()
		p := live.New(live.Options{Host: "192.0.2.7"})
		p.Handler().ServeHTTP(w, r)
		return fmt.Sprint(w.Code), w.Header()
	}
	for _, one := range []struct{ method, path, host, want string }{
		{"GET", "/", "localhost:8080", "200"},
		{"GET", "/page.js", "127.0.0.1:8080", "200"},
		{"HEAD", "/style.css", "[::1]:8080", "200"},
		{"GET", "/", "192.0.2.7", "200"},
		{"GET", "/", "LOCALHOST.:8080", "200"},
		{"GET", "/", "192.0.2.8:8080", "421"},
		{"GET", "/", "localhost.evil.example:8080", "421"},
		{"GET", "/events", "evil.example", "421"},
		{"POST", "/", "localhost", "405"},
		{"DELETE", "/events", "localhost", "405"},
		{"GET", "/assets/", "localhost", "404"},
		{"GET", "/../serve.go", "localhost", "404"},
	} {
		got, header := get(one.method, one.path, one.host)
		if got != one.want && !(one.want == "404" && got == "307") {
			t.Errorf("%s %s of %s: %s, want %s", one.method, one.path, one.host, got, one.want)
		}
		if csp := header.Get("Content-Security-Policy"); one.want == "200" && (!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe")) {
			t.Errorf("%s: the policy is %q", one.path, csp)
		}
	}
	if got, _ := get("GET", "/events", "localhost", "Sec-Fetch-Site", "cross-site"); got != "403" {
		t.Errorf("a page from elsewhere that wants snapshots gets %s", got)
	}
}

func TestEveryAddressOfAMachine(t *testing.T) {
	for _, host := range []string{"", "0.0.0.0", "::"} {
		handler := live.New(live.Options{Host: host}).Handler()
		for asked, want := range map[string]int{"192.0.2.8:80": 200, "rebound.example:80": 421, "localhost": 200} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("GET", "http://"+asked+"/", nil))
			if w.Code != want {
				t.Errorf("on %q, asked for %s: %d, want %d", host, asked, w.Code, want)
			}
		}
	}
}
