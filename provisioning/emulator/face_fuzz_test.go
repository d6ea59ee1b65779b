package emulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"dpsfleet/provisioning/emulator"
)

// FuzzDeviceAPI asks for anything with any body. The device API answers with a
// document or says that nothing is there; it never fails.
func FuzzDeviceAPI(f *testing.F) {
	f.Add("PUT", base+"/register"+version, `{"registrationId":"`+toaster+`","payload":{"a":1}}`)
	f.Add("GET", base+"/operations/4.x.y"+version, "")
	f.Add("POST", base+version, "{}")
	f.Add("PUT", "/"+scope+"/registrations/a%2Fb/register", `{"tpm":{}}`)
	f.Add("DELETE", "/%zz/registrations//register?;", "[")
	cfg, fast := withFace(contoso(f)), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(f)}
	w := quiet(f, cfg)
	f.Cleanup(w.close)
	client, token := w.httpClient(), goodToken(f, toaster)
	f.Cleanup(client.CloseIdleConnections)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://localhost/"+strings.TrimPrefix(path, "/"), strings.NewReader(body))
		// A blank ends a request line early: net/http refuses what is then no protocol,
		// and hangs up on a client that may still be sending.
		if err != nil || method == http.MethodConnect || strings.Contains(path, " ") {
			t.Skip("not a request")
		}
		r.Header.Set("Authorization", token)
		// A server may close a connection at the very moment when the next request
		// is sent over it; with this, whatever its method, it is sent again.
		r.Header["X-Idempotency-Key"] = nil
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %q: %v", method, path, err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode >= 500 {
			t.Fatalf("%s %q answered %s %s, %v", method, path, answer.Status, got, err)
		}
		if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") && method != http.MethodHead && len(got) > 0 && !json.Valid(got) {
			t.Errorf("%s %q answered what is no JSON: %s", method, path, got)
		}
	})
}
