package emulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// faulty is a cloud in which one thing goes wrong for the toaster.
func faulty(t *testing.T, at emulator.FaultPoint, fault emulator.Fault) emulator.Config {
	cfg := withFace(contoso(t))
	cfg.Fault = func(point emulator.FaultPoint, registrationID string) emulator.Fault {
		if point != at || registrationID != toaster {
			return emulator.Fault{}
		}
		return fault
	}
	return cfg
}

// registers registers a toaster over HTTPS, for ten seconds at most.
func (c *caller) registers() (*http.Response, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "PUT", "http://global.azure-devices-provisioning.net"+base+"/register"+version, http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", c.token)
	answer, err := c.client.Do(r)
	if err == nil {
		answer.Body.Close()
	}
	return answer, err
}

// TestFaultsOverHTTPS: what is asked over HTTPS meets the same faults as over
// MQTT, where scenarios' tests boot a device for each.
func TestFaultsOverHTTPS(t *testing.T) {
	tests := []struct {
		name   string
		fault  emulator.Fault
		status int
		err    error
		took   time.Duration
	}{
		{"None", emulator.Fault{}, 202, nil, 50 * time.Millisecond},
		{"Late", emulator.Fault{Wait: 5 * time.Second}, 202, nil, 5*time.Second + 50*time.Millisecond},
		{"Throttled", emulator.Fault{Status: 429, RetryAfter: 7 * time.Second}, 429, nil, 50 * time.Millisecond},
		{"Broken", emulator.Fault{Status: 500}, 500, nil, 50 * time.Millisecond},
		{"HungUp", emulator.Fault{HangUp: true}, 0, io.EOF, 0},
		{"Silent", emulator.Fault{Silent: true}, 0, context.DeadlineExceeded, 10 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, faulty(t, emulator.FaultAtRegistration, test.fault))
				defer w.close()
				c := w.caller(toaster)
				defer c.client.CloseIdleConnections()
				start := time.Now()
				answer, err := c.registers()
				if took := time.Since(start); took != test.took || !errors.Is(err, test.err) {
					t.Errorf("it took %s, want %s: %v", took, test.took, err)
				}
				if err == nil && answer.StatusCode != test.status {
					t.Errorf("answered %s", answer.Status)
				}
				if test.status == 429 && answer.Header.Get("Retry-After") != "7" {
					t.Errorf("Retry-After: %q", answer.Header.Get("Retry-After"))
				}
				synctest.Wait()
				if n := len(w.recorded(provisioning.ExchangeRegister)); n != 1 {
					t.Errorf("%d exchanges", n)
				}
			})
		})
	}
}

// TestFaultIsAskedForWhatADeviceDoes: each point once or more, with the
// registration id.
func TestFaultIsAskedForWhatADeviceDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan emulator.FaultPoint, 100)
		cfg := contoso(t)
		cfg.Fault = func(point emulator.FaultPoint, registrationID string) emulator.Fault {
			if registrationID != toaster {
				t.Errorf("asked at %s for %q", point, registrationID)
			}
			asked <- point
			return emulator.Fault{}
		}
		w := startIn(t, cfg)
		defer w.close()
		device := w.pahoAtHub("$iothub/twin/res/#")
		device.ask("$iothub/twin/GET/?$rid=1", "")
		close(asked)
		seen := map[emulator.FaultPoint]bool{}
		for point := range asked {
			seen[point] = true
		}
		for _, point := range []emulator.FaultPoint{
			emulator.FaultAtConnect, emulator.FaultAtRegistration, emulator.FaultAtPoll, emulator.FaultAtAssignment,
			emulator.FaultAtHubConnect, emulator.FaultAtTwin,
		} {
			if !seen[point] {
				t.Errorf("nobody asked at %s", point)
			}
		}
	})
}
