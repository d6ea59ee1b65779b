package allocation_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/memnet"
)

// serve runs a webhook in memory until the test ends. It gives its URL, with a
// secret in it, and a transport that reaches it.
func serve(t testing.TB, webhook http.HandlerFunc) (string, *http.Transport) {
	t.Helper()
	network := new(memnet.Network)
	listener, err := network.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: webhook}
	stopped := make(chan struct{})
	go func() { defer close(stopped); server.Serve(listener) }()
	transport := &http.Transport{DialContext: network.Dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		<-stopped
	})
	return "http://" + listener.Addr().String() + allocation.Path + "?code=functionsecret", transport
}

// answering is a webhook that gives these statuses in turn, the last for ever.
// With 200 it names the toasters' hub.
func answering(statuses ...int) http.HandlerFunc {
	calls := 0
	return func(w http.ResponseWriter, r *http.Request) {
		status := statuses[min(calls, len(statuses)-1)]
		calls++
		w.WriteHeader(status)
		if status == http.StatusOK {
			fmt.Fprintf(w, `{"iotHubHostName":%q}`, toasters)
		}
	}
}

// saying is a webhook that answers 200 with text.
func saying(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }
}

func hanging(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // or the server does not see that the caller left
	<-r.Context().Done()
}

func slow(d time.Duration, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(d):
			next(w, r)
		case <-r.Context().Done():
		}
	}
}

// The tutorial's troubleshooting table, what it leaves open, and beside each
// what the C SDK reports.
func TestVerdictFollowsTheTutorialsTable(t *testing.T) {
	const (
		failed       = provisioning.CustomAllocationFailed
		notSpecified = provisioning.CustomAllocationIotHubNotSpecified
		unauthorized = provisioning.CustomAllocationUnauthorizedAccess
	)
	for name, c := range map[string]struct {
		webhook http.HandlerFunc
		code    provisioning.Code
		message string
		calls   int
		took    time.Duration
	}{
		"a linked hub":              {answering(200), 0, "", 1, 0},
		"a linked hub, upper case":  {saying(`{"iotHubHostName":"` + strings.ToUpper(toasters) + `"}`), 0, "", 1, 0},
		"201":                       {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); answering(200)(w, r) }, 0, "", 1, 0},
		"hub empty":                 {saying(`{"iotHubHostName":""}`), notSpecified, "Custom allocation did not specify an IoT hub.", 1, 0},
		"hub null":                  {saying(`{"iotHubHostName":null}`), notSpecified, "Custom allocation did not specify an IoT hub.", 1, 0},
		"hub missing":               {saying(`{}`), notSpecified, "Custom allocation did not specify an IoT hub.", 1, 0},
		"hub not linked":            {saying(`{"iotHubHostName":"evil.example"}`), failed, "Custom allocation failed with status code: 200", 1, 0},
		"not JSON":                  {saying(`hello`), failed, "Custom allocation failed with status code: 200", 1, 0},
		"malformed JSON":            {saying(`{"iotHubHostName":`), failed, "Custom allocation failed with status code: 200", 1, 0},
		"no content":                {answering(204), failed, "Custom allocation failed with status code: 204", 1, 0},
		"401":                       {answering(401), unauthorized, "Custom allocation was refused access to the webhook.", 1, 0},
		"400":                       {answering(400), failed, "Custom allocation failed with status code: 400", 1, 0},
		"403":                       {answering(403), failed, "Custom allocation failed with status code: 403", 1, 0},
		"428":                       {answering(428), failed, "Custom allocation failed with status code: 428", 1, 0},
		"redirect":                  {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, failed, "Custom allocation failed with status code: 302", 1, 0},
		"redirect to nowhere":       {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Location", "::"); w.WriteHeader(307) }, failed, "Custom allocation failed with status code: 307", 1, 0},
		"429 for ever":              {answering(429), failed, "Custom allocation failed with status code: 429", 11, 415 * time.Second},
		"503, then 500 for ever":    {answering(503, 500), failed, "Custom allocation failed with status code: 500", 11, 415 * time.Second},
		"503 three times, recovers": {answering(503, 503, 503, 200), 0, "", 4, 30 * time.Second},
		"503, then 401":             {answering(503, 401), unauthorized, "Custom allocation was refused access to the webhook.", 2, time.Second},
		"recovers at the last":      {answering(500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 200), 0, "", 11, 415 * time.Second},
		"never answers":             {hanging, failed, "An error occurred while sending the request.", 11, 415*time.Second + 11*30*time.Second},
		"closes early":              {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, failed, "An error occurred while sending the request.", 11, 415 * time.Second},
		"closes within the body":    {cutShort, failed, "An error occurred while sending the request.", 11, 415 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				url, transport := serve(t, c.webhook)
				var calls []provisioning.Exchange
				client := allocation.Client{Transport: transport, Record: func(x provisioning.Exchange) { calls = append(calls, x) }}
				start := time.Now()
				v := client.Allocate(t.Context(), url, tutorialRequest(t))
				if took := time.Since(start); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
				if v.Code != c.code || v.Message != c.message || v.Attempts != c.calls || len(calls) != c.calls {
					t.Errorf("%+v after %d recorded calls", v, len(calls))
				}
				if (v.Hub == toasters) != (c.code == 0) || (v.Reason == "") != (c.code == 0) {
					t.Errorf("hub %q, reason %q", v.Hub, v.Reason)
				}
				checkResult(t, v)
			})
		})
	}
}

// checkResult compares with the last column of the tutorial's table.
func checkResult(t *testing.T, v allocation.Verdict) {
	t.Helper()
	want := map[provisioning.Code]provisioning.Result{
		0:                                   provisioning.ResultOK,
		provisioning.CustomAllocationFailed: provisioning.ResultDevAuthError,
		provisioning.CustomAllocationIotHubNotSpecified: provisioning.ResultHubNotSpecified,
		provisioning.CustomAllocationUnauthorizedAccess: provisioning.ResultUnauthorized,
	}[v.Code]
	status := provisioning.Failed
	if v.Hub != "" {
		status = provisioning.Assigned
	}
	if got := provisioning.ResultOf(status, v.Code); got != want {
		t.Errorf("the C SDK reports %s, want %s", got, want)
	}
}

func cutShort(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"iotHubHostName":"`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestRetriesWaitAsTheTutorialSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url, transport := serve(t, answering(500))
		var last time.Time
		var waits []time.Duration
		client := allocation.Client{Transport: transport, Record: func(x provisioning.Exchange) {
			if x.Attempt > 1 {
				waits = append(waits, x.At.Sub(last))
			}
			last = x.At.Add(x.Took)
		}}
		client.Allocate(t.Context(), url, allocation.Request{})
		want := "[1s 10s 19s 28s 37s 46s 55s 1m4s 1m13s 1m22s]"
		if got := fmt.Sprint(waits); got != want {
			t.Errorf("waits %s, want %s", got, want)
		}
	})
}

func TestRetryIsASetting(t *testing.T) {
	for count, want := range map[int]time.Duration{-1: 0, 1: 2 * time.Second, 3: 2*time.Second + 5*time.Second + 8*time.Second} {
		synctest.Test(t, func(t *testing.T) {
			url, transport := serve(t, answering(429))
			client := allocation.Client{Transport: transport, Retry: allocation.Retry{Count: count, First: 2 * time.Second, Increment: 3 * time.Second}}
			start := time.Now()
			client.Allocate(t.Context(), url, allocation.Request{})
			if took := time.Since(start); took != want {
				t.Errorf("%d retries take %v, want %v", count, took, want)
			}
		})
	}
}

func TestTimeoutIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url, transport := serve(t, slow(4900*time.Millisecond, answering(200)))
		patient := allocation.Client{Transport: transport, Timeout: 5 * time.Second}
		if a := patient.Call(t.Context(), url, nil); a.Err != nil || a.Status != 200 || a.Took != 4900*time.Millisecond {
			t.Errorf("within 5 s: %+v", a)
		}
		hasty := allocation.Client{Transport: transport, Timeout: 4 * time.Second}
		a := hasty.Call(t.Context(), url, nil)
		if !errors.Is(a.Err, context.DeadlineExceeded) || a.Status != 0 || a.Took != 4*time.Second {
			t.Errorf("within 4 s: %+v", a)
		}
	})
}

func TestTimeoutCoversTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url, transport := serve(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			hanging(w, r)
		})
		client := allocation.Client{Transport: transport}
		if a := client.Call(t.Context(), url, nil); a.Err == nil || a.Status != 0 || a.Took != 30*time.Second {
			t.Errorf("got %+v", a)
		}
	})
}

func TestRecordTellsTheWholeCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url, transport := serve(t, slow(2*time.Second, answering(200)))
		var x provisioning.Exchange
		client := allocation.Client{Transport: transport, Record: func(got provisioning.Exchange) { x = got }}
		at := time.Now()
		client.Allocate(t.Context(), url, tutorialRequest(t))
		if x.Kind != provisioning.ExchangeAllocate || x.RegistrationID != toasterID || x.Attempt != 1 || x.Hub != toasters {
			t.Errorf("got %+v", x)
		}
		if !x.At.Equal(at) || x.Took != 2*time.Second || x.Status != 200 || x.Err != "" {
			t.Errorf("at %v, took %v, %d %q", x.At, x.Took, x.Status, x.Err)
		}
		if string(x.Asked) != string(read(t, "toaster.request.json")) || string(x.Answered) != `{"iotHubHostName":"`+toasters+`"}` {
			t.Errorf("asked %s, answered %s", x.Asked, x.Answered)
		}
	})
}

func TestSlotsHoldCallsAndNotWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := make(chan int, 3) // running at once
		calls <- 0
		most := 0
		url, transport := serve(t, func(w http.ResponseWriter, r *http.Request) {
			n := <-calls + 1
			most = max(most, n)
			calls <- n
			slow(time.Second, answering(503))(w, r)
			calls <- <-calls - 1
		})
		client := allocation.Client{
			Transport: transport,
			Slots:     make(chan struct{}, 2),
			Retry:     allocation.Retry{Count: 1, First: 10 * time.Second},
		}
		start := time.Now()
		done := make(chan time.Duration)
		for range 4 {
			go func() {
				client.Allocate(t.Context(), url, allocation.Request{})
				done <- time.Since(start)
			}()
		}
		var last time.Duration
		for range 4 {
			last = <-done
		}
		// Two at 0 s, two at 1 s; again at 11 s and 12 s. Were a place kept over
		// the wait, it would be 24 s.
		if most != 2 || last != 13*time.Second {
			t.Errorf("%d calls at once, the last done after %v", most, last)
		}
	})
}

func TestAllocateLeavesWhenItsContextEnds(t *testing.T) {
	for name, c := range map[string]struct {
		webhook http.HandlerFunc
		full    bool // no slot is free
		calls   int
	}{
		"during a call": {hanging, false, 1},
		"during a wait": {answering(500), false, 2},
		"for a slot":    {answering(200), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				url, transport := serve(t, c.webhook)
				recorded := 0
				client := allocation.Client{Transport: transport, Slots: make(chan struct{}, 1), Record: func(provisioning.Exchange) { recorded++ }}
				if c.full {
					client.Slots <- struct{}{}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				v := client.Allocate(ctx, url, allocation.Request{})
				if !errors.Is(v.Err, context.DeadlineExceeded) || v.Hub != "" || v.Code != 0 || v.Attempts != c.calls || recorded != c.calls {
					t.Errorf("%+v, %d recorded", v, recorded)
				}
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("it left after %v", took)
				}
			})
		})
	}
}

func TestNothingListensIsAnUnreachableWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(memnet.Network)
		client := allocation.Client{Transport: &http.Transport{DialContext: network.Dial}}
		v := client.Allocate(t.Context(), "http://127.0.0.1:9/api/HttpTrigger1?code=functionsecret", allocation.Request{})
		if v.Code != provisioning.CustomAllocationFailed || v.Message != "An error occurred while sending the request." || v.Attempts != 11 {
			t.Errorf("got %+v", v)
		}
		if strings.Contains(v.Reason, "functionsecret") || !strings.Contains(v.Reason, "127.0.0.1:9") {
			t.Errorf("the reason is %q", v.Reason)
		}
	})
}

func TestErrorsShowNoSecret(t *testing.T) {
	failing := roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("out of order") })
	for _, url := range []string{
		"http://127.0.0.1:1/api?code=functionsecret",
		"http://user:functionsecret@127.0.0.1:1/api",
		"http://user:function/secret:functionsecret@127.0.0.1/",
		"ftp://127.0.0.1/?code=functionsecret",
		"http:///?code=functionsecret",
		"://functionsecret",
		"http://127.0.0.1/%zz?code=functionsecret",
		"http://127.0.0.1:port/\x7f?code=functionsecret",
	} {
		client := allocation.Client{Transport: failing}
		a := client.Call(t.Context(), url, nil)
		if a.Err == nil || strings.Contains(a.Err.Error(), "secret") {
			t.Errorf("%s: %v", url, a.Err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestALongErrorIsCut(t *testing.T) {
	client := allocation.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, errors.New(strings.Repeat("x", 1<<20))
	})}
	if a := client.Call(t.Context(), "http://h/", nil); len(a.Err.Error()) > 1000 {
		t.Errorf("the error has %d characters", len(a.Err.Error()))
	}
}

func TestTheRequestAsksForNothingToUnpack(t *testing.T) {
	var got http.Header
	client := allocation.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return nil, errors.New("enough")
	})}
	client.Call(t.Context(), "http://user:pass@h/", []byte("{}"))
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Accept-Encoding": "identity", "Authorization": "Basic dXNlcjpwYXNz",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
}

// endless is a webhook whose answer has a gigabyte of zeros, packed or not.
func endless(packed bool) http.HandlerFunc {
	const pieces = 64
	piece := make([]byte, 1<<30/pieces)
	if packed {
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		zip.Write(piece)
		zip.Close()
		piece = zipped.Bytes() // gzip files one after the other are a gzip file
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if packed {
			w.Header().Set("Content-Encoding", "gzip")
		}
		for range pieces {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}
}

func TestAnEndlessAnswerCostsBoundedMemory(t *testing.T) {
	for _, packed := range []bool{false, true} {
		t.Run(fmt.Sprintf("packed=%v", packed), func(t *testing.T) {
			server := &http.Server{Handler: endless(packed)}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go server.Serve(listener)
			transport := &http.Transport{}
			t.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
			client := allocation.Client{Transport: transport}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v := client.Allocate(t.Context(), "http://"+listener.Addr().String(), tutorialRequest(t))
			runtime.ReadMemStats(&after)
			if v.Code != provisioning.CustomAllocationFailed || v.Message != "Custom allocation failed with status code: 200" {
				t.Errorf("got %+v", v)
			}
			// All that was allocated, not what is held.
			if cost := (after.TotalAlloc - before.TotalAlloc) >> 20; cost > 16 {
				t.Errorf("it cost %d MiB", cost)
			}
		})
	}
}

func TestAnAnswerIsReadToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url, transport := serve(t, saying("0123456789"))
		for limit, want := range map[int64]string{10: "0123456789", 9: "012345678"} {
			client := allocation.Client{Transport: transport, MaxAnswer: limit}
			a := client.Call(t.Context(), url, nil)
			if string(a.Body) != want || a.Truncated != (len(want) < 10) || a.Status != 200 {
				t.Errorf("bound %d: %+v", limit, a)
			}
		}
	})
}

func TestTwinAndPayloadReachTheVerdictAsTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url, transport := serve(t, saying(`{"payload":{ "b":1 },"initialTwin":{"tags":{"x": "<"},"properties":{"desired":{"b":1,"a":2}}},"iotHubHostName":"`+toasters+`"}`))
		client := allocation.Client{Transport: transport}
		v := client.Allocate(t.Context(), url, tutorialRequest(t))
		if string(v.Payload) != `{ "b":1 }` || string(v.InitialTwin.Tags) != `{"x": "<"}` || string(v.InitialTwin.Properties.Desired) != `{"b":1,"a":2}` {
			t.Errorf("got %+v", v)
		}
	})
}
