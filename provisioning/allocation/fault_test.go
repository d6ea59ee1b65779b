package allocation_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/memnet"
)

func asking(id string) allocation.Request {
	return allocation.Request{
		DeviceRuntimeContext: allocation.RuntimeContext{RegistrationID: &id},
		LinkedHubs:           []string{"contoso-toasters-hub.azure-devices.net"},
	}
}

func always(f allocation.Fault) func(string) allocation.Fault {
	return func(string) allocation.Fault { return f }
}

func TestFaultyAnswersForSomeDevicesOnly(t *testing.T) {
	server := httptest.NewServer(allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso()}))
	defer server.Close()
	var asked []string
	client := allocation.Client{
		Retry: allocation.Retry{Count: -1},
		Transport: allocation.Faulty(nil, func(id string) allocation.Fault {
			asked = append(asked, id)
			if id == "breakroom2-contoso-tstrsd-007" {
				return allocation.Answering(http.StatusForbidden, "")
			}
			return nil
		}),
	}
	for id, want := range map[string]int{"breakroom1-contoso-tstrsd-007": 200, "breakroom2-contoso-tstrsd-007": 403} {
		verdict := client.Allocate(t.Context(), server.URL+allocation.Path, asking(id))
		if verdict.Status != want {
			t.Errorf("%s was answered %d, want %d", id, verdict.Status, want)
		}
	}
	if len(asked) != 2 {
		t.Errorf("asked for %q, want each device once", asked)
	}
}

// What gets no answer fails with the error that a real transport gives.
func TestUnreachedIsTheRealError(t *testing.T) {
	tests := []struct {
		name string
		why  func(string) error
		is   func(error) bool
		says string
	}{
		{"Reset", allocation.Reset, func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }, "connection reset by peer"},
		{"Refused", allocation.Refused, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }, "connection refused"},
		{"NoSuchHost", allocation.NoSuchHost, func(err error) bool {
			var dns *net.DNSError
			return errors.As(err, &dns) && dns.IsNotFound && dns.Name == "function.invalid"
		}, "lookup function.invalid: no such host"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client := allocation.Client{Transport: allocation.Faulty(nil, always(allocation.Unreached(test.why)))}
			answer := client.Call(t.Context(), "http://function.invalid/api", []byte("{}"))
			if answer.Err == nil || !test.is(answer.Err) || !strings.Contains(answer.Err.Error(), test.says) {
				t.Errorf("got %v", answer.Err)
			}
		})
	}
}

// inBubble serves a handler in the bubble that it is called in, and returns a
// client whose calls meet a fault.
func inBubble(t *testing.T, fault allocation.Fault, handler http.HandlerFunc) (*allocation.Client, string) {
	t.Helper()
	var network memnet.Network
	listener, err := network.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	transport := &http.Transport{DialContext: network.Dial}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	t.Cleanup(func() { transport.CloseIdleConnections(); server.Close(); <-done })
	return &allocation.Client{Transport: allocation.Faulty(transport, always(fault))}, "http://" + listener.Addr().String() + "/?code=secret&x=1"
}

func answersEmpty(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }

func TestWaitsAreExactAndEndWithTheCall(t *testing.T) {
	tests := []struct {
		name  string
		fault allocation.Fault
	}{
		{"Late", allocation.Late(5 * time.Second)},
		{"SlowBody", allocation.SlowBody(5 * time.Second)},
		{"ColdStart", allocation.ColdStart(5*time.Second, 0)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, url := inBubble(t, test.fault, answersEmpty)
				impatient := *client
				impatient.Timeout = 2 * time.Second
				if answer := impatient.Call(t.Context(), url, nil); !errors.Is(answer.Err, context.DeadlineExceeded) || answer.Took != 2*time.Second {
					t.Errorf("a call of 2 s took %s: %v", answer.Took, answer.Err)
				}
				if test.name == "ColdStart" { // it goes on starting
					time.Sleep(time.Second)
					if answer := client.Call(t.Context(), url, nil); answer.Status != 200 || answer.Took != 2*time.Second {
						t.Errorf("the second call took %s: %v", answer.Took, answer.Err)
					}
					return
				}
				if answer := client.Call(t.Context(), url, nil); answer.Status != 200 || answer.Took != 5*time.Second || string(answer.Body) != "{}" {
					t.Errorf("took %s, %d %q: %v", answer.Took, answer.Status, answer.Body, answer.Err)
				}
			})
		})
	}
}

// The first call and all that come while it waits, wait; later ones do not, until
// nobody called for a while.
func TestColdStartIsColdAgainAfterIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, url := inBubble(t, allocation.ColdStart(20*time.Second, 5*time.Minute), answersEmpty)
		start := time.Now()
		var took [5]time.Duration
		call := func(i int, at time.Duration) {
			time.Sleep(time.Until(start.Add(at)))
			took[i] = client.Call(t.Context(), url, nil).Took
		}
		var calls sync.WaitGroup
		for i, at := range []time.Duration{0, 15 * time.Second, 25 * time.Second, 5 * time.Minute, 11 * time.Minute} {
			calls.Go(func() { call(i, at) })
		}
		calls.Wait()
		want := []time.Duration{20 * time.Second, 5 * time.Second, 0, 0, 20 * time.Second}
		if !slices.Equal(took[:], want) {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

func TestWithoutKeyTakesTheKeyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var query, header string
		client, url := inBubble(t, allocation.WithoutKey, func(_ http.ResponseWriter, r *http.Request) {
			query, header = r.URL.RawQuery, r.Header.Get("x-functions-key")
		})
		if answer := client.Call(t.Context(), url, nil); answer.Status != 200 || query != "x=1" || header != "" {
			t.Errorf("%d, query %q, header %q", answer.Status, query, header)
		}
	})
}
