package emulator_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
)

const hookAddress = "127.0.0.1:7071"

// hooked is the tutorial's group with a webhook of somebody else's.
func hooked(t testing.TB) emulator.Config {
	cfg := contoso(t)
	cfg.Enrollments[0].Policy = nil
	cfg.Enrollments[0].CustomAllocation = &provisioning.CustomAllocationDefinition{
		WebhookURL: "http://" + hookAddress + "/api/HttpTrigger1?code=secret", APIVersion: provisioning.AllocationAPIVersion,
	}
	return cfg
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// TestTroubleshootingTable is the table at the end of the tutorial, all of its
// six rows, with the result that the C SDK reports.
func TestTroubleshootingTable(t *testing.T) {
	const hubs = `"` + toastersHub + `"`
	recovered := func() http.HandlerFunc {
		var calls atomic.Int32
		return func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) <= 4 {
				answering(503, "")(w, r)
				return
			}
			answering(200, `{"iotHubHostName":`+hubs+`}`)(w, r)
		}
	}
	tests := []struct {
		row     string
		hook    http.HandlerFunc
		record  provisioning.ProvisioningStatus
		status  string
		code    int
		message string
		result  provisioning.Result
		calls   int
		takes   time.Duration // from the registration to the poll that tells
	}{
		{row: "200 with a hub", hook: answering(200, `{"iotHubHostName":`+hubs+`}`),
			status: "assigned", result: "PROV_DEVICE_RESULT_OK", calls: 1, takes: 6 * time.Second},
		{row: "200 with an empty hub", hook: answering(200, `{"iotHubHostName":""}`),
			status: "failed", code: 400208, message: "Custom allocation did not specify an IoT hub.", result: "PROV_DEVICE_RESULT_HUB_NOT_SPECIFIED", calls: 1, takes: 6 * time.Second},
		{row: "200 with a null hub", hook: answering(200, `{"iotHubHostName":null}`),
			status: "failed", code: 400208, message: "Custom allocation did not specify an IoT hub.", result: "PROV_DEVICE_RESULT_HUB_NOT_SPECIFIED", calls: 1, takes: 6 * time.Second},
		{row: "401", hook: answering(401, ""),
			status: "failed", code: 400209, message: "Custom allocation was refused access to the webhook.", result: "PROV_DEVICE_RESULT_UNAUTHORIZED", calls: 1, takes: 6 * time.Second},
		{row: "enrollment disabled", hook: answering(200, `{"iotHubHostName":`+hubs+`}`), record: provisioning.ProvisioningDisabled,
			status: "disabled", result: "PROV_DEVICE_RESULT_DISABLED", takes: 3 * time.Second},
		{row: "429 or more", hook: answering(503, ""),
			status: "failed", code: 400207, message: "Custom allocation failed with status code: 503", result: "PROV_DEVICE_RESULT_DEV_AUTH_ERROR", calls: 11, takes: 417 * time.Second},
		{row: "429 or more, then well", hook: recovered(),
			status: "assigned", result: "PROV_DEVICE_RESULT_OK", calls: 5, takes: 60 * time.Second}, // 1+10+19+28 s
		{row: "less than 429", hook: answering(400, "Unrecognized device registration."),
			status: "failed", code: 400207, message: "Custom allocation failed with status code: 400", result: "PROV_DEVICE_RESULT_DEV_AUTH_ERROR", calls: 1, takes: 6 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.row, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := hooked(t)
				cfg.Enrollments[0].Provisioning = test.record
				cfg.Answers = &emulator.Answers{
					Allocate:   emulator.Exactly(3200 * time.Millisecond),
					RetryAfter: emulator.Exactly(3 * time.Second),
				}
				w := startIn(t, cfg)
				defer w.hook(hookAddress, test.hook)()
				defer w.close()
				c := w.device(toaster)
				defer c.nc.Close()
				start := time.Now()
				last, _ := c.verdict(t, c.register(t))
				if took := time.Since(start); took != test.takes {
					t.Errorf("told after %s, want %s", took, test.takes)
				}
				if last.Status != test.status || last.State.ErrorCode != test.code || last.State.ErrorMessage != test.message {
					t.Errorf("the device ended as %+v", last)
				}
				result := provisioning.ResultOf(provisioning.Status(last.Status), provisioning.Code(last.State.ErrorCode))
				if result != test.result {
					t.Errorf("the C SDK would say %s, want %s", result, test.result)
				}
				if calls := len(w.recorded(provisioning.ExchangeAllocate)); calls != test.calls {
					t.Errorf("%d calls of the webhook, want %d", calls, test.calls)
				}
			})
		})
	}
}

// TestWebhookGetsWhatTheServiceSends compares the request with a golden file in
// the form of the tutorial's log.
func TestWebhookGetsWhatTheServiceSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		w := startIn(t, hooked(t))
		defer w.hook(hookAddress, func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked = append(asked, fmt.Sprintf("%s %s\n%s\n", r.Method, r.URL, body))
			answering(200, `{"iotHubHostName":"`+toastersHub+`","payload":{"b": 1,"a":"ü<"}}`)(rw, r)
		})()
		defer w.close()
		c := w.device(toaster)
		defer c.nc.Close()
		first, _ := c.verdict(t, c.register(t))
		if got, want := string(first.State.Payload), `{"b": 1,"a":"\u00fc<"}`; got != want {
			t.Errorf("the device got payload %s, want %s", got, want)
		}
		c.verdict(t, c.register(t))
		golden(t, "webhook-requests.txt", asked[0]+asked[1])
	})
}

func TestRegisteringAgainGivesUpTheEarlierAllocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		w := startIn(t, hooked(t))
		defer w.hook(hookAddress, func(rw http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1 {
				answering(503, "")(rw, r)
				return
			}
			answering(200, `{"iotHubHostName":"`+heatpumpsHub+`"}`)(rw, r)
		})()
		defer w.close()
		c := w.device(toaster)
		defer c.nc.Close()
		earlier := c.register(t)
		last, _ := c.verdict(t, c.register(t))
		if last.State.AssignedHub != heatpumpsHub {
			t.Errorf("assigned to %q", last.State.AssignedHub)
		}
		time.Sleep(10 * time.Minute)
		if n := calls.Load(); n != 2 {
			t.Errorf("%d calls of the webhook, want 2: the first allocation went on", n)
		}
		checkRefusal(t, c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId="+earlier, ""), "404 404203 Operation not found.")
	})
}

func TestCloseGivesUpAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, hooked(t))
		defer w.hook(hookAddress, answering(503, ""))()
		c := w.device(toaster)
		defer c.nc.Close()
		c.register(t)
		before := time.Now()
		w.close()
		if took := time.Since(before); took != 0 {
			t.Errorf("closing took %s", took)
		}
		if state, _ := w.cloud.Registration(toaster); state.Status != provisioning.Assigning {
			t.Errorf("an allocation that was given up ended as %q", state.Status)
		}
	})
}

// TestThePolicysFunctionKey is the row "401" of the table with a policy of ours:
// a key that is asked for and not in the URL.
func TestThePolicysFunctionKey(t *testing.T) {
	tests := []struct {
		use  emulator.FunctionKeyUse
		key  string
		code int
	}{
		{use: "", code: 0},
		{use: "", key: "given", code: 0},
		{use: emulator.FunctionKeyNone, key: "given", code: 0},
		{use: emulator.FunctionKeyRequired, code: 0},
		{use: emulator.FunctionKeyMissing, code: 400209},
		{use: emulator.FunctionKeyMissing, key: "given", code: 400209},
	}
	for _, test := range tests {
		t.Run(string(test.use)+" "+test.key, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := contoso(t)
				cfg.FunctionKey = allocation.FunctionKey(test.key)
				cfg.Enrollments[0].FunctionKey = test.use
				w := startIn(t, cfg)
				defer w.close()
				if last := w.provisioned(toaster, key(t, toasterKey)); last.State.ErrorCode != test.code {
					t.Errorf("the device ended as %+v, want code %d", last, test.code)
				}
				for _, x := range w.recorded(provisioning.ExchangeAllocate) {
					if strings.Contains(string(x.Asked), "given") || strings.Contains(x.Err, "given") {
						t.Errorf("the key is in the exchange: %s %s", x.Asked, x.Err)
					}
				}
			})
		})
	}
}

// TestTransportStandsInFrontOfTheWebhook lets a fault answer instead.
func TestTransportStandsInFrontOfTheWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		cfg.Transport = func(http.RoundTripper) http.RoundTripper { return teapot{} }
		w := startIn(t, cfg)
		defer w.close()
		if last := w.provisioned(toaster, key(t, toasterKey)); last.State.ErrorMessage != "Custom allocation failed with status code: 418" {
			t.Errorf("the device ended as %+v", last)
		}
	})
}

type teapot struct{}

func (teapot) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 418, Body: http.NoBody}, nil
}
