package allocation_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// seed adds the files of testdata that match.
func seed(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		rel, _ := filepath.Rel("testdata", file)
		f.Add(read(f, rel))
	}
}

func FuzzParsePolicy(f *testing.F) {
	seed(f, "mistakes/*.json")
	for _, name := range allocation.ShippedNames() {
		p, _ := allocation.Shipped(name)
		text, _ := provisioning.Marshal(p)
		f.Add(text)
	}
	f.Add([]byte(`{"rules":[{"hub":{"glob":"*a?"},"when":{"payload":{"a.b":null,"c":1e3}},"payload":{}}]}`))
	f.Add([]byte(`{"rules":[{"hub":{"spread":{"a":1,"*\u00e9/~":0}},"sticky":true,"when":{"any":[{"not":{"payload":{"v":{"version":">=1.2 <2"}}}},{"payload":{"n":{"atLeast":1,"below":2e0},"m":{"in":[1,"x",null]}}}]}},{"hub":{"region":{"payload":"a.b","hubs":{"*":"*"}}}}],"otherwise":{"hub":"hashed"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := allocation.ParsePolicy(data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\x00\r") {
				t.Errorf("the error has control characters: %q", err)
			}
			return
		}
		text, err := provisioning.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := allocation.ParsePolicy(text)
		if err != nil {
			t.Fatalf("written as %s it has mistakes: %v", text, err)
		}
		if twice, _ := provisioning.Marshal(again); !bytes.Equal(text, twice) {
			t.Errorf("written %s, then %s", text, twice)
		}
	})
}

func FuzzDecide(f *testing.F) {
	seed(f, "*.request.json")
	for _, body := range []string{"", "null", "[]", ask("null", bothHubs), ask(`""`, "[null]"), ask(`"`+toasterID+`"`, `["a-toasters-b","a-toasters-b"]`)} {
		f.Add([]byte(body))
	}
	for _, payload := range []string{`{"firmware":"1.1.9"}`, `{"firmware":1.20}`, `{"region":"west europe"}`, `{"region":null}`} {
		f.Add([]byte(`{"deviceRuntimeContext":{"registrationId":"d","currentIotHubHostName":"a-small-b","payload":` + payload + `},"linkedHubs":["a-small-b","b-large-eu-update-"]}`))
	}
	var policies []allocation.Policy
	for _, name := range allocation.ShippedNames() {
		policy, _ := allocation.Shipped(name)
		policies = append(policies, policy)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, policy := range policies {
			d := policy.Decide(body)
			if (d.Status == http.StatusInternalServerError) != (d.Fault != "") || (d.Hub != "") != (d.Status == http.StatusOK) {
				t.Fatalf("%+v contradicts itself", d)
			}
			if json.Valid(body) && d.Fault == "the body is not JSON" {
				t.Fatalf("it is JSON: %q", body)
			}
			if d.Status != http.StatusOK {
				continue
			}
			r, err := allocation.ParseResponse(d.Body)
			if err != nil || r.IoTHubHostName == nil {
				t.Fatalf("%s is no answer: %v", d.Body, err)
			}
			if utf8.Valid(body) && !bytes.Contains(body, []byte(`\`)) && !bytes.Contains(body, []byte(d.Hub)) {
				t.Fatalf("%q is none of the hubs in %q", d.Hub, body)
			}
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	seed(f, "*.response.json")
	for _, text := range []string{`{}`, `{"iotHubHostName":null,"payload":[1]}`, `{"IOTHUBHOSTNAME":"\ud800","initialTwin":{"properties":null,"tags":{}}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := allocation.ParseResponse(text)
		if err != nil {
			return
		}
		if !json.Valid(r.JSON()) {
			t.Fatalf("%q becomes %q", text, r.JSON())
		}
		again, err := allocation.ParseResponse(r.JSON())
		if err != nil || !bytes.Equal(again.JSON(), r.JSON()) {
			t.Errorf("%q becomes %q, then %q (%v)", text, r.JSON(), again.JSON(), err)
		}
	})
}
