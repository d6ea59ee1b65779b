package rest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"dpsfleet/provisioning/emulator/rest"
)

const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="

func TestConnectionStrings(t *testing.T) {
	tests := []struct{ name, text, host, port, wrong string }{
		{"Azure's", "HostName=a.azure-devices-provisioning.net;SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=" + secret, "a.azure-devices-provisioning.net", "", ""},
		{"with a port and a line end", "HostName=localhost:8443;SharedAccessKeyName=p;SharedAccessKey=" + secret + "\n", "localhost", "8443", ""},
		{"in another order and case", "sharedaccesskey=" + secret + ";sharedaccesskeyname=p;hostname=a", "a", "", ""},
		{"empty", "", "", "", "has no HostName"},
		{"without a policy", "HostName=a;SharedAccessKey=" + secret, "", "", "has no SharedAccessKeyName"},
		{"without a key", "HostName=a;SharedAccessKeyName=p", "", "", "has no SharedAccessKey"},
		{"a key that is none", "HostName=a;SharedAccessKeyName=p;SharedAccessKey=secret", "", "", "not base64"},
		{"a path for a host", "HostName=a/b;SharedAccessKeyName=p;SharedAccessKey=" + secret, "", "", "not a host name"},
		{"a user for a host", "HostName=a@b:1;SharedAccessKeyName=p;SharedAccessKey=" + secret, "", "", "not a host name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := rest.ParseConnectionString(test.text)
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error = %v, want %s", err, test.wrong)
				}
				return
			}
			if err != nil || got.Host != test.host || got.Port != test.port || got.Key.Base64() != secret {
				t.Errorf("%v, %v", got, err)
			}
			if shown := fmt.Sprintf("%v %+v %s", got, got, got.LogValue()); strings.Contains(shown, secret) {
				t.Errorf("the key is printed: %s", shown)
			}
		})
	}
}

func FuzzParseConnectionString(f *testing.F) {
	f.Add("HostName=localhost:8443;SharedAccessKeyName=p;SharedAccessKey=" + secret)
	f.Add("hostname=a;;=;SharedAccessKey")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := rest.ParseConnectionString(text)
		if err != nil {
			return
		}
		if again, err := rest.ParseConnectionString(c.Text()); err != nil || again.Host != c.Host || again.Key.Base64() != c.Key.Base64() {
			t.Errorf("%q is %q, %v", text, c.Text(), err)
		}
	})
}

type answering func(*http.Request) *http.Response

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func TestGroupKeysOfOtherServices(t *testing.T) {
	at, err := rest.ParseConnectionString("HostName=dps.example;SharedAccessKeyName=p;SharedAccessKey=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		status int
		body   string
		want   string // the key, or a part of the error
	}{
		{"half a pair", 200, `{"type":"symmetricKey","symmetricKey":{"primaryKey":"` + secret + `","secondaryKey":""}}`, secret},
		{"no key", 200, `{"type":"symmetricKey","symmetricKey":{"primaryKey":"","secondaryKey":""}}`, "has no key"},
		{"half a key", 200, `{"type":"symmetricKey","symmetricKey":{"primaryKey":"` + secret[1:] + `"}}`, "no attestation"},
		{"both keys", 200, `{"type":"symmetricKey","symmetricKey":{"primaryKey":"` + secret + `","secondaryKey":"` + secret + `"}}`, secret},
		{"a certificate", 200, `{"type":"x509"}`, `attests by "x509"`},
		{"no JSON", 200, `<html>`, "no attestation"},
		{"a refusal", 401, `{"errorCode":401002,"message":"Unauthorized"}`, "DPS answered 401, 401002 UnauthorizedAccess"},
		{"a redirect", 302, ``, "DPS answered 302"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			calls := 0
			transport := answering(func(r *http.Request) *http.Response {
				calls++
				if r.URL.String() != "https://dps.example/enrollmentGroups/my%20group/attestationmechanism?api-version=2021-10-01" {
					t.Errorf("asked %s", r.URL)
				}
				return &http.Response{StatusCode: test.status, Header: http.Header{"Location": {"https://evil.example/"}}, Body: io.NopCloser(strings.NewReader(test.body)), Request: r}
			})
			keys, err := rest.GroupKeys(context.Background(), transport, at, "my group")
			if got := keys.Primary.Base64() + fmt.Sprint(err); !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if calls != 1 || strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("%d calls, error %v", calls, err)
			}
		})
	}
}

func ExampleCondition() {
	ifMatch := rest.Condition{IfMatch: `"0001"`}
	fmt.Println(ifMatch.Holds(`"0001"`), ifMatch.Holds(`"0002"`), rest.Condition{IfMatch: "*"}.Holds(""))
	// Output: true false false
}
