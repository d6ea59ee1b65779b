package emulator_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

func TestWhatTheServiceAPIRefuses(t *testing.T) {
	const put = "PUT /enrollments/a"
	body := func(more string) string {
		return `{"registrationId":"a","attestation":{"type":"symmetricKey"}` + more + `}`
	}
	group := "/enrollmentGroups/" + groupID
	tests := []struct {
		name, request, body string
		header              []string
		status, code        int
		message             string // a part of it
	}{
		{"no such enrollment", "GET /enrollments/none", "", nil, 404, 404201, "Enrollment not found."},
		{"no such enrollment to delete", "DELETE /enrollments/none", "", nil, 404, 404201, "Enrollment not found."},
		{"no such group", "GET /enrollmentGroups/none", "", nil, 404, 404204, "not found"},
		{"no such group to delete", "DELETE /enrollmentGroups/none", "", nil, 404, 404204, "not found"},
		{"no keys of nobody", "POST /enrollments/none/attestationmechanism", "", nil, 404, 404201, ""},
		{"no such registration", "GET /registrations/none", "", nil, 404, 404202, "Registration not found."},
		{"no such registration to delete", "DELETE /registrations/none", "", nil, 404, 404202, ""},
		{"no such group's devices", "POST /registrations/none/query", "", nil, 404, 404204, ""},
		{"no such path", "GET /enrollments/a/b", "", nil, 404, 400004, "no such path"},
		{"no id", "GET /registrations/", "", nil, 404, 400004, "no such path"},
		{"a method", "PATCH /enrollments/a", "", nil, 405, 400004, "method"},
		{"a method for bulk", "GET /enrollments", "", nil, 405, 400004, "method"},
		{"not JSON", put, "{", nil, 400, 400004, "BadRequest"},
		{"another type", put, `{"registrationId":7}`, nil, 400, 400004, "BadRequest"},
		{"a body for somebody else", put, `{"registrationId":"b","attestation":{"type":"symmetricKey"}}`, nil, 400, 400004, "not that of the path"},
		{"a body without an id", put, `{"attestation":{"type":"symmetricKey"}}`, nil, 400, 400004, "registrationId"},
		{"a group as an individual", put, `{"enrollmentGroupId":"a"}`, nil, 400, 400004, "registrationId"},
		{"too large", put, body(`,"deviceId":"` + strings.Repeat("x", 1<<20) + `"`), nil, 413, 400004, "1048576"},
		{"an illegal id", "PUT /enrollments/a%20b", `{"registrationId":"a b"}`, nil, 400, 400004, "Invalid RegistrationId"},
		{"an illegal group id", "PUT /enrollmentGroups/a%20b", `{"enrollmentGroupId":"a b"}`, nil, 400, 400004, "Invalid EnrollmentGroupId"},
		{"custom without a webhook", put, body(`,"allocationPolicy":"custom"`), nil, 400, 400004, "A CustomAllocationDefinition is required when the allocation policy is set to 'Custom'"},
		{"a webhook that is none", put, body(`,"customAllocationDefinition":{"webhookUrl":"ftp://x?code=secret"}`), nil, 400, 400004, "webhookUrl"},
		{"a webhook that may not be called", put, body(`,"customAllocationDefinition":{"webhookUrl":"https://else.example/?code=secret"}`), nil, 400, 400004, "else.example is not ours"},
		{"a hub that is not linked", put, body(`,"iotHubs":["other.example"]`), nil, 400, 400004, "other.example"},
		{"a short key", put, `{"registrationId":"a","attestation":{"type":"symmetricKey","symmetricKey":{"primaryKey":"c2hvcnQ="}}}`, nil, 400, 400004, "5 bytes"},
		{"a key that is none", put, `{"registrationId":"a","attestation":{"type":"symmetricKey","symmetricKey":{"primaryKey":"c2hvcnQ"}}}`, nil, 400, 400004, "base64"},
		{"a TPM", put, `{"registrationId":"a","attestation":{"type":"tpm"}}`, nil, 400, 400004, "tpm"},
		{"a certificate that is not there", put, `{"registrationId":"a","attestation":{"type":"x509"}}`, nil, 400, 400004, "no certificate"},
		{"an etag of nothing", put, body(""), []string{"If-Match", `"x"`}, 412, 412001, "etag"},
		{"anything of nothing", put, body(""), []string{"If-Match", "*"}, 412, 412001, "etag"},
		{"an old etag", "DELETE " + group, "", []string{"If-Match", `"x"`}, 412, 412001, "etag"},
		{"no query", "POST /enrollments/query", "", nil, 400, 400004, "not a query"},
		{"another query", "POST /enrollments/query", `{"query":"SELECT etag FROM enrollments"}`, nil, 400, 400004, "SELECT * FROM enrollments"},
		{"no page size", "POST /enrollments/query", `{"query":"SELECT *"}`, []string{"x-ms-max-item-count", "0"}, 400, 400004, "x-ms-max-item-count"},
		{"somebody else's continuation", "POST /enrollments/query", `{"query":"SELECT *"}`, []string{"x-ms-continuation", "x!"}, 400, 400004, "x-ms-continuation"},
		{"devices of a group by no object", "POST /registrations/" + groupID + "/query", "[]", nil, 400, 400004, ""},
		{"bulk of nothing", "POST /enrollments", `{"mode":"create","enrollments":[]}`, nil, 400, 400004, "no enrollment"},
		{"bulk in no mode", "POST /enrollments", `{"mode":"merge","enrollments":[{}]}`, nil, 400, 400004, "mode"},
		{"bulk that is no object", "POST /enrollments", `[]`, nil, 400, 400004, "bulk"},
		{"bulk of eleven", "POST /enrollments", `{"mode":"create","enrollments":[` + strings.Repeat("{},", 10) + `{}]}`, nil, 400, 400004, "takes 10"},
	}
	guarded := func(t testing.TB) emulator.Config {
		cfg := served(t)
		cfg.MayCall = func(host string) error { return errors.New(host + " is not ours") }
		return cfg
	}
	w := startIn(t, guarded(t))
	defer w.close()
	b := w.backEnd()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method, path, _ := strings.Cut(test.request, " ")
			got := b.send(b.request(method, path, test.body, test.header...))
			checkProblem(t, got, test.status, test.code)
			contains(t, "the answer", got.body, test.message)
			if strings.Contains(got.body, "secret") {
				t.Errorf("a secret is in it: %s", got.body)
			}
		})
	}
}

// checkProblem checks an error document and the header that repeats its code.
func checkProblem(t *testing.T, got reply, status, code int) {
	t.Helper()
	var e struct {
		ErrorCode                         int
		TrackingID, Message, TimestampUTC string
	}
	if err := json.Unmarshal([]byte(got.body), &e); err != nil {
		t.Fatalf("%d, %v: %s", got.status, err, got.body)
	}
	if got.status != status || e.ErrorCode != code || got.header.Get("x-ms-error-code") != strconv.Itoa(code) {
		t.Errorf("%d %d, header %s; want %d %d\n%s", got.status, e.ErrorCode, got.header.Get("x-ms-error-code"), status, code, got.body)
	}
	if len(e.TrackingID) != 36 || e.Message == "" || e.TimestampUTC == "" {
		t.Errorf("the document is not whole: %s", got.body)
	}
}

func TestWhoIsLetIntoTheServiceAPI(t *testing.T) {
	w := startIn(t, served(t))
	defer w.close()
	b := w.backEnd()
	hour := time.Now().Add(time.Hour)
	hubs, host := w.cloud.HubConnectionString(toastersHub), "localhost"
	hubKey := key(t, hubs[strings.Index(hubs, "AccessKey=")+len("AccessKey="):])
	node := func(resource string) string { // its order of fields, and no encoding
		return strings.Replace(provisioning.SignToken(b.at.Key, host, hour, policyName), "sr=localhost", "sr="+resource, 1)
	}
	tests := []struct {
		name, token string
		status      int
	}{
		{"ours", provisioning.SignToken(b.at.Key, host, hour, policyName), 200},
		{"the host in capitals", provisioning.SignToken(b.at.Key, "LOCALHOST", hour, policyName), 200},
		{"the host with its port", provisioning.SignToken(b.at.Key, "localhost:8443", hour, policyName), 200},
		{"for this path", provisioning.SignToken(b.at.Key, "localhost/enrollmentgroups", hour, policyName), 200},
		{"for another path", provisioning.SignToken(b.at.Key, "localhost/enrollments", hour, policyName), 401},
		{"for a path that only begins so", provisioning.SignToken(b.at.Key, "localhost/enrollmentg", hour, policyName), 401},
		{"for another host", provisioning.SignToken(b.at.Key, "elsewhere.example", hour, policyName), 401},
		{"signed for another host", node("elsewhere"), 401},
		{"with another key", provisioning.SignToken(provisioning.NewKey(), host, hour, policyName), 401},
		{"of no policy", provisioning.SignToken(b.at.Key, host, hour, ""), 401},
		{"of a policy that is not there", provisioning.SignToken(b.at.Key, host, hour, "reader"), 401},
		{"of the hubs' owner", provisioning.SignToken(hubKey, host, hour, "iothubowner"), 401},
		{"of a device", provisioning.SignToken(key(t, toasterKey), scope+"/registrations/"+toaster, hour, "registration"), 401},
		{"expired", provisioning.SignToken(b.at.Key, host, time.Now().Add(-time.Second), policyName), 401},
		{"none", "", 401},
		{"of Entra ID", "Bearer eyJhbGciOiJub25lIn0.e30.", 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := b.request("GET", "/enrollmentGroups/"+groupID, "")
			r.Header.Set("Authorization", test.token)
			got := b.send(r)
			if got.status == test.status && got.status == 200 {
				return
			}
			checkProblem(t, got, test.status, 401002)
			if test.token != "" && strings.Contains(got.body, url.QueryEscape(test.token)) {
				t.Errorf("the token is in the answer: %s", got.body)
			}
		})
	}
}

func TestNoWebPageGetsIntoTheServiceAPI(t *testing.T) {
	w := startIn(t, served(t))
	defer w.close()
	b := w.backEnd()
	tests := []struct {
		name, host string
		header     []string
		status     int
	}{
		{"this machine", "localhost:8443", nil, 200},
		{"by its address", "127.0.0.1:8443", nil, 200},
		{"by IPv6", "[::1]:8443", nil, 200},
		{"without a port", "localhost", nil, 200},
		{"as DPS is called", "mine.azure-devices-provisioning.net", nil, 200},
		{"a name that was pointed here", "evil.example:8443", nil, 421},
		{"a name below", "a.b.azure-devices-provisioning.net", nil, 421},
		{"its own origin", "localhost:8443", []string{"Origin", "http://localhost:8443"}, 200},
		{"a foreign origin", "localhost:8443", []string{"Origin", "https://evil.example"}, 403},
		{"another port's origin", "localhost:8443", []string{"Origin", "http://localhost:3000"}, 403},
		{"a file", "localhost:8443", []string{"Origin", "null"}, 403},
		{"a foreign site", "localhost:8443", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := b.request("GET", "/enrollmentGroups/"+groupID, "", test.header...)
			r.Host = test.host
			name, _, _ := strings.Cut(strings.TrimPrefix(test.host, "["), "]")
			if !strings.HasPrefix(test.host, "[") {
				name, _, _ = strings.Cut(test.host, ":")
			}
			r.Header.Set("Authorization", provisioning.SignToken(b.at.Key, name, time.Now().Add(time.Hour), policyName))
			if got := b.send(r); got.status != test.status {
				t.Errorf("%d, want %d: %s", got.status, test.status, got.body)
			}
		})
	}
}

// FuzzServiceAPI throws bodies at every path: an answer is never an internal
// error, errors are documents, and what was let in can be read again.
func FuzzServiceAPI(f *testing.F) {
	paths := []string{
		"PUT /enrollments/a", "PUT /enrollmentGroups/a", "POST /enrollments", "POST /enrollmentGroups",
		"POST /enrollments/query", "POST /registrations/a/query",
	}
	for i, body := range []string{
		`{"registrationId":"a","attestation":{"type":"symmetricKey"},"initialTwin":{"tags":{"ä":[1]}}}`,
		`{"enrollmentGroupId":"a","attestation":{"type":"x509","x509":{"signingCertificates":{"primary":{"certificate":"AAAA"}}}}}`,
		`{"mode":"create","enrollments":[{"registrationId":"a","attestation":{"type":"symmetricKey"}}]}`,
		`{"mode":"updateIfMatchETag","enrollmentGroups":[{"enrollmentGroupId":"a","etag":"x"}]}`,
		`{"query":"select * from enrollments"}`, `{}`,
	} {
		f.Add(uint8(i), body)
	}
	w := quiet(f, served(f))
	f.Cleanup(w.close)
	b := w.backEnd()
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		b := &backEnd{t, b.at, b.client}
		method, path, _ := strings.Cut(paths[int(which)%len(paths)], " ")
		got := b.send(b.request(method, path, body))
		if !slices.Contains([]int{200, 400, 404, 412, 413}, got.status) || !json.Valid([]byte(got.body)) {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if got.status != http.StatusOK || method != "PUT" {
			return
		}
		if again := b.send(b.request("GET", path, "")); again.status != 200 {
			t.Errorf("it cannot be read: %d %s", again.status, again.body)
		}
	})
}
