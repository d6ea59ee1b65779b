package emulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// caller calls the device API as an SDK does.
type caller struct {
	*world
	client *http.Client
	token  string
	header http.Header
}

func (w *world) caller(id string) *caller {
	return &caller{world: w, client: w.httpClient(), token: goodToken(w.t, id), header: http.Header{}}
}

func (c *caller) call(method, path, body string) (*http.Response, []byte) {
	c.t.Helper()
	r, err := http.NewRequest(method, "http://global.azure-devices-provisioning.net"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = c.header.Clone()
	if c.token != "" {
		r.Header.Set("Authorization", c.token)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer, got
}

const (
	base    = "/" + scope + "/registrations/" + toaster
	version = "?api-version=2021-06-01"
)

// TestADeviceRegistersOverHTTPS with the requests of the documents' curl, and
// sees what it would over MQTT.
func TestADeviceRegistersOverHTTPS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, withFace(contoso(t)))
		defer w.close()
		c := w.caller(toaster)
		defer c.client.CloseIdleConnections()
		c.header.Set("Content-Type", "application/json")
		c.header.Set("Content-Encoding", "utf-8")
		answer, body := c.call("PUT", base+"/register"+version, `{"registrationId":"`+toaster+`","payload":{"a": 1}}`)
		var op operation
		if err := json.Unmarshal(body, &op); err != nil || answer.StatusCode != 202 || op.Status != "assigning" || op.State.Status != "" {
			t.Fatalf("registered: %s %s", answer.Status, body)
		}
		for name, want := range map[string]string{
			"Retry-After": "3", "Content-Type": "application/json; charset=utf-8",
			"Location": "https://global.azure-devices-provisioning.net" + base + "/register",
		} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if len(answer.Header.Get("x-ms-request-id")) != 36 || len(answer.TransferEncoding) != 1 {
			t.Errorf("headers %v, transfer encoding %v", answer.Header, answer.TransferEncoding)
		}
		poll := base + "/operations/" + op.OperationID + version
		if answer, body = c.call("GET", poll, ""); answer.StatusCode != 202 || answer.Header.Get("Retry-After") != "3" {
			t.Errorf("polled: %s %s", answer.Status, body)
		}
		time.Sleep(6 * time.Second)
		answer, body = c.call("GET", poll, "")
		if err := json.Unmarshal(body, &op); err != nil || answer.StatusCode != 200 || op.State.AssignedHub != toastersHub || answer.Header.Get("Retry-After") != "" {
			t.Errorf("polled: %s %s", answer.Status, body)
		}
		answer, body = c.call("POST", base+version, `{"registrationId":"`+toaster+`"}`)
		if state := jsonOf(t, body); answer.StatusCode != 200 || state["assignedHub"] != toastersHub || state["status"] != "assigned" {
			t.Errorf("looked up: %s %s", answer.Status, body)
		}
		contains(t, "the webhook's request", string(w.recorded("allocate")[0].Asked), `"payload":{"a": 1}`)
		for _, kind := range []provisioning.ExchangeKind{"register", "poll", "told", "lookup"} {
			if n := len(w.recorded(kind)); n != 1 {
				t.Errorf("%d exchanges %s", n, kind)
			}
		}
	})
}

// TestHTTPSAndMQTTAreOneService: an operation that was begun over one is polled
// over the other.
func TestHTTPSAndMQTTAreOneService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, withFace(contoso(t)))
		defer w.close()
		c := w.caller(toaster)
		defer c.client.CloseIdleConnections()
		_, body := c.call("PUT", base+"/register"+version, "")
		mqtt := w.device(toaster)
		defer mqtt.nc.Close()
		if last, _ := mqtt.verdict(t, jsonOf(t, body)["operationId"].(string)); last.State.AssignedHub != toastersHub {
			t.Errorf("the device ended as %+v", last)
		}
	})
}

// TestRequestsThatHTTPSTakes are spelt as SDKs spell them.
func TestRequestsThatHTTPSTakes(t *testing.T) {
	tests := map[string]struct{ path, body string }{
		"C":                       {base + "/register?api-version=2021-06-01", `{"registrationId":"` + toaster + `"}`},
		"Node":                    {base + "/register?api-version=2019-03-31", `{"registrationId":"` + toaster + `"}`},
		"an old version":          {base + "/register?api-version=2018-11-01", `{"registrationId":"` + toaster + `"}`},
		"no version":              {base + "/register", ""},
		"no body":                 {base + "/register" + version, ""},
		"a blank":                 {base + "/register" + version, " "},
		"a null payload":          {base + "/register" + version, `{"payload": null}`},
		"a string payload":        {base + "/register" + version, `{"payload": "{\"a\":1}"}`},
		"escaped":                 {"/" + scope + "/registrations/" + strings.ReplaceAll(toaster, "-", "%2D") + "/register" + version, ""},
		"another case of the id":  {base + "/register" + version, `{"registrationId":"` + strings.ToUpper(toaster) + `"}`},
		"another case of a word":  {"/" + scope + "/Registrations/" + toaster + "/Register" + version, ""},
		"no TPM but a null of it": {base + "/register" + version, `{"tpm":null}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, withFace(contoso(t)))
				defer w.close()
				c := w.caller(toaster)
				defer c.client.CloseIdleConnections()
				if answer, body := c.call("PUT", test.path, test.body); answer.StatusCode != 202 {
					t.Errorf("answered %s %s", answer.Status, body)
				}
			})
		})
	}
}

// TestRequestsThatHTTPSRefuses are answered with an error document, but for those
// that are not the device API's.
func TestRequestsThatHTTPSRefuses(t *testing.T) {
	wrongKey := "SharedAccessSignature sr=" + scope + "%2Fregistrations%2F" + toaster + "&sig=AAAA&se=4102444800"
	tests := map[string]struct {
		method, path, body string
		token              string // left out, a good one; "none" sends none
		settings           emulator.Undocumented
		want               string // status, code, message
	}{
		"wrong key":           {token: wrongKey, want: "401 401000 Unauthorized"},
		"no token":            {token: "none", want: "401 401000 Unauthorized"},
		"no token for a poll": {method: "GET", path: base + "/operations/x" + version, token: "none", want: "401 401000 Unauthorized"},
		"a look-up unsigned":  {method: "POST", path: base + version, token: wrongKey, want: "401 401000 Unauthorized"},
		"401002, as set":      {token: wrongKey, settings: emulator.Undocumented{UnauthorizedCode: 401002}, want: "401 401002 Unauthorized"},
		"unknown id scope":    {path: "/0neFFFFFFFF/registrations/" + toaster + "/register", want: "404 404208 The ID scope is unknown."},
		"the same, as set": {path: "/0neFFFFFFFF/registrations/" + toaster + "/register",
			settings: emulator.Undocumented{UnknownScopeCode: 401002}, want: "401 401002 The ID scope is unknown."},
		"another id in the body": {body: `{"registrationId":"` + heatpump + `"}`, want: "400 400004 BadRequest"},
		"not JSON":               {body: "{", want: "400 400004 BadRequest"},
		"illegal id":             {path: "/" + scope + "/registrations/toaster%231/register", want: "400 400004 Invalid RegistrationId"},
		"too much":               {body: `{"payload":"` + strings.Repeat("x", 96<<10) + `"}`, want: "413 413001 The body is cut short or has more than 98304 bytes."},
		"TPM": {body: `{"tpm":{"endorsementKey":"AToA"}}`, token: "none",
			want: "401 401002 TPM attestation is not available: DPS attests no TPM over MQTT, and this emulator none over HTTPS; use a symmetric key or an X.509 certificate."},
		"unknown operation":    {method: "GET", path: base + "/operations/4.x.y" + version, want: "404 404203 Operation not found."},
		"unknown registration": {method: "POST", path: base + version, want: "404 404202 Registration not found."},
		"another method":       {method: "DELETE", want: "405"},
		"a poll of nothing":    {method: "GET", path: base + "/operations/" + version, want: "404"},
		"nothing":              {method: "GET", path: "/favicon.ico", want: "404"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := withFace(contoso(t))
				cfg.Undocumented = test.settings
				w := startIn(t, cfg)
				defer w.close()
				c := w.caller(toaster)
				defer c.client.CloseIdleConnections()
				if test.token != "" {
					c.token = strings.TrimPrefix(test.token, "none")
				}
				method, path := test.method, test.path
				if method == "" {
					method = "PUT"
				}
				if path == "" {
					path = base + "/register" + version
				}
				answer, body := c.call(method, path, test.body)
				checkDocument(t, answer, body, test.want)
			})
		})
	}
}

func checkDocument(t *testing.T, answer *http.Response, body []byte, want string) {
	t.Helper()
	status, rest, isDocument := strings.Cut(want, " ")
	if got := answer.Status[:3]; got != status {
		t.Errorf("answered %s %s, want %s", answer.Status, body, want)
	}
	if !isDocument {
		return
	}
	code, message, _ := strings.Cut(rest, " ")
	var document struct {
		ErrorCode                         json.Number
		TrackingID, Message, TimestampUtc string
	}
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if document.ErrorCode.String() != code || document.Message != message || len(document.TrackingID) != 36 || document.TimestampUtc == "" {
		t.Errorf("answered %s, want %s", body, want)
	}
	if answer.Header.Get("Content-Type") != "application/json; charset=utf-8" || len(answer.Header.Get("x-ms-request-id")) != 36 {
		t.Errorf("headers %v", answer.Header)
	}
}

// TestAnAnswerOverHTTPSIsRecordedThoughNobodyWaitsForIt, and a cloud that closes
// waits for the handler.
func TestAnAnswerOverHTTPSIsRecordedThoughNobodyWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := withFace(contoso(t))
		cfg.Answers = &emulator.Answers{Register: emulator.Exactly(time.Hour)}
		w := startIn(t, cfg)
		c := w.caller(toaster)
		r, _ := http.NewRequest("PUT", "http://localhost"+base+"/register", bytes.NewReader(nil))
		r.Header.Set("Authorization", c.token)
		done := make(chan int, 1)
		go func() {
			answer, err := c.client.Do(r)
			if err != nil {
				done <- 0
				return
			}
			answer.Body.Close()
			done <- answer.StatusCode
		}()
		synctest.Wait()
		start := time.Now()
		w.close()
		if registered := w.recorded("register"); len(registered) != 1 || registered[0].Err == "" || time.Since(start) > time.Second {
			t.Errorf("after %s recorded %+v", time.Since(start), registered)
		}
		if status := <-done; status != 503 {
			t.Errorf("the client was answered %d", status)
		}
		c.client.CloseIdleConnections()
	})
}

// TestAThrottledRequestOverHTTPSHearsWhen, and a look-up counts as a registration.
func TestAThrottledRequestOverHTTPSHearsWhen(t *testing.T) {
	for name, second := range map[string][2]string{"a registration": {"PUT", base + "/register"}, "a look-up": {"POST", base}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := withFace(contoso(t))
				cfg.Quotas = 0.001 // one a minute
				w := startIn(t, cfg)
				defer w.close()
				c := w.caller(toaster)
				defer c.client.CloseIdleConnections()
				c.call("PUT", base+"/register"+version, "")
				answer, body := c.call(second[0], second[1]+version, "")
				if answer.StatusCode != 429 || answer.Header.Get("Retry-After") != "60" || jsonOf(t, body)["errorCode"] != 429001. {
					t.Errorf("answered %s, Retry-After %q: %s", answer.Status, answer.Header.Get("Retry-After"), body)
				}
			})
		})
	}
}
