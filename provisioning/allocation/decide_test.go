package allocation_test

import (
	"net/http"
	"strings"
	"testing"

	"dpsfleet/provisioning/allocation"
)

// ask is a request body with these two members as JSON; empty leaves one out.
func ask(registrationID, linkedHubs string) string {
	var members []string
	if registrationID != "" {
		members = append(members, `"deviceRuntimeContext":{"registrationId":`+registrationID+`}`)
	}
	if linkedHubs != "" {
		members = append(members, `"linkedHubs":`+linkedHubs)
	}
	return "{" + strings.Join(members, ",") + "}"
}

const bothHubs = `["` + toasters + `","` + heatpumps + `"]`

func TestContosoAnswersTheTutorialsDevices(t *testing.T) {
	for _, device := range []string{"toaster", "heatpump"} {
		d := allocation.Contoso().Decide(read(t, device+".request.json"))
		if d.Status != http.StatusOK {
			t.Errorf("%s: %d %s %s", device, d.Status, d.Body, d.Fault)
		}
		golden(t, device+".response.json", d.Body)
	}
}

// The branches of the tutorial's C#, in its order. A 200 names the hub.
func TestContosoGoesTheWayOfTheTutorialsCode(t *testing.T) {
	const (
		noID      = "Registration ID not provided for the device."
		noHubs    = "No hub group defined for the enrollment."
		noToaster = "No toasters hub found for the enrollment."
		noPump    = "No heat pumps hub found for the enrollment."
		unknown   = "Unrecognized device registration."
	)
	toaster, pump := `"`+toasterID+`"`, `"`+pumpID+`"`
	for name, c := range map[string]struct {
		body   string
		status int
		said   string // the hub, the sentence, or a word of the fault
		found  string
	}{
		"empty body":                     {"", 400, noID, "Registration ID : NULL"},
		"blank body":                     {" \n", 400, noID, "Registration ID : NULL"},
		"null body":                      {"null", 400, noID, "Registration ID : NULL"},
		"no context":                     {ask("", bothHubs), 400, noID, "Registration ID : NULL"},
		"no registration id":             {`{"deviceRuntimeContext":{}}`, 400, noID, "Registration ID : NULL"},
		"null registration id":           {ask("null", bothHubs), 400, noID, "Registration ID : NULL"},
		"name in another case":           {`{"deviceRuntimeContext":{"RegistrationId":"x"}}`, 400, noID, "Registration ID : NULL"},
		"id before hubs":                 {ask("null", `"broken"`), 400, noID, "Registration ID : NULL"},
		"empty registration id":          {ask(`""`, bothHubs), 400, unknown, "Unknown device registration"},
		"number as registration id":      {ask(`7`, bothHubs), 400, unknown, "Unknown device registration"},
		"boolean as registration id":     {ask(`true`, bothHubs), 400, unknown, "Unknown device registration"},
		"no hubs":                        {ask(toaster, ""), 400, noHubs, "linkedHubs : NULL"},
		"null hubs":                      {ask(toaster, "null"), 400, noHubs, "linkedHubs : NULL"},
		"hubs before kind":               {ask(`"stranger"`, "null"), 400, noHubs, "linkedHubs : NULL"},
		"toaster, empty list":            {ask(toaster, "[]"), 400, noToaster, noToaster},
		"toaster, only the other hub":    {ask(toaster, `["`+heatpumps+`"]`), 400, noToaster, noToaster},
		"toaster, hub in another case":   {ask(toaster, `["a-TOASTERS-b"]`), 400, noToaster, noToaster},
		"heat pump, empty list":          {ask(pump, "[]"), 400, noPump, noPump},
		"heat pump, only the other hub":  {ask(pump, `["`+toasters+`"]`), 400, noPump, noPump},
		"toaster":                        {ask(toaster, bothHubs), 200, toasters, ""},
		"heat pump":                      {ask(pump, bothHubs), 200, heatpumps, ""},
		"kind in the middle":             {ask(`"x-contoso-tstrsd-007-y"`, bothHubs), 200, toasters, ""},
		"kind in another case":           {ask(`"x-Contoso-tstrsd-007"`, bothHubs), 400, unknown, "Unknown device registration"},
		"both kinds are a toaster":       {ask(`"x-contoso-hpsd-088-contoso-tstrsd-007"`, bothHubs), 200, toasters, ""},
		"of several hubs the last":       {ask(toaster, `["a-toasters-1","b-toasters-2","c"]`), 200, "b-toasters-2", ""},
		"stranger, empty list":           {ask(`"stranger"`, "[]"), 400, unknown, "Unknown device registration"},
		"stranger, a null among hubs":    {ask(`"stranger"`, "[null]"), 400, unknown, "Unknown device registration"},
		"member twice, the last counts":  {`{"linkedHubs":[],"deviceRuntimeContext":{"registrationId":` + toaster + `},"linkedHubs":["a-toasters-b"]}`, 200, "a-toasters-b", ""},
		"byte order mark":                {"\ufeff" + ask(toaster, bothHubs), 200, toasters, ""},
		"not JSON":                       {`{"deviceRuntimeContext":`, 500, "not JSON", ""},
		"text after the JSON":            {ask(toaster, bothHubs) + "x", 500, "not JSON", ""},
		"list as body":                   {`[]`, 500, "not a JSON object", ""},
		"text as body":                   {`"x"`, 500, "not a JSON object", ""},
		"null context":                   {`{"deviceRuntimeContext":null}`, 500, "deviceRuntimeContext", ""},
		"text as context":                {`{"deviceRuntimeContext":"x"}`, 500, "deviceRuntimeContext", ""},
		"object as registration id":      {ask(`{}`, bothHubs), 500, "registrationId", ""},
		"text as hubs":                   {ask(toaster, `"x"`), 500, "linkedHubs is not a list", ""},
		"object among hubs":              {ask(`"stranger"`, `[{}]`), 500, "something else than text", ""},
		"toaster, a null among the hubs": {ask(toaster, `["a-toasters-b",null]`), 500, "holds a null", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := allocation.Contoso().Decide([]byte(c.body))
			said := map[int]string{200: d.Hub, 400: string(d.Body), 500: d.Fault}[d.Status]
			if d.Status != c.status || d.Found != c.found {
				t.Errorf("status %d, found %q", d.Status, d.Found)
			}
			if said != c.said && (d.Status != 500 || !strings.Contains(said, c.said)) {
				t.Errorf("said %q, want %q", said, c.said)
			}
			if d.Status == 500 && len(d.Body) > 0 {
				t.Errorf("a 500 says %q", d.Body)
			}
		})
	}
}

func TestByPayloadAsksTheDevice(t *testing.T) {
	policy, _ := allocation.Shipped("by-payload")
	for payload, want := range map[string]string{
		`{"deviceType":"toaster"}`:   toasters,
		`{"deviceType":"heatpump"}`:  heatpumps,
		`{"deviceType":"Toaster"}`:   "",
		`{"devicetype":"toaster"}`:   "",
		`{"deviceType":null}`:        "",
		`"toaster"`:                  "",
		`[{"deviceType":"toaster"}]`: "",
	} {
		body := `{"deviceRuntimeContext":{"registrationId":"d1","payload":` + payload + `},"linkedHubs":` + bothHubs + `}`
		if d := policy.Decide([]byte(body)); d.Hub != want {
			t.Errorf("%s goes to %q, want %q", payload, d.Hub, want)
		}
	}
	if d := policy.Decide([]byte(ask(`"d1"`, bothHubs))); string(d.Body) != "Unrecognized device registration." {
		t.Errorf("without payload: %s", d.Body)
	}
}

func TestRulesMatch(t *testing.T) {
	device := `{"deviceRuntimeContext":{"registrationId":"oven-12-x","payload":{"n":1.0,"s":"one","b":true,"z":null,"in":{"kind":"grill"},"fw":"1.10.3","v":1.10}},"linkedHubs":["a.net","b.net"]}`
	for when, want := range map[string]bool{
		`{}`:                             true,
		`{"registrationId":"oven-12-x"}`: true,
		`{"registrationId":"oven-12"}`:   false,
		`{"registrationId":{"equals":"oven-12-x"}}`:        true,
		`{"registrationId":{"prefix":"oven-"}}`:            true,
		`{"registrationId":{"prefix":"ven-"}}`:             false,
		`{"registrationId":{"suffix":"-x"}}`:               true,
		`{"registrationId":{"suffix":"-X"}}`:               false,
		`{"registrationId":{"glob":"oven-*-x"}}`:           true,
		`{"registrationId":{"glob":"oven-??-x"}}`:          true,
		`{"registrationId":{"glob":"oven-?-x"}}`:           false,
		`{"registrationId":{"glob":"*"}}`:                  true,
		`{"registrationId":{"glob":"*2*"}}`:                true,
		`{"registrationId":{"glob":"oven-*-y*"}}`:          false,
		`{"payload":{"n":1}}`:                              true,
		`{"payload":{"n":"1"}}`:                            false,
		`{"payload":{"n":{"prefix":"1"}}}`:                 false,
		`{"payload":{"b":true,"z":null}}`:                  true,
		`{"payload":{"absent":null}}`:                      false,
		`{"payload":{"in.kind":"grill"}}`:                  true,
		`{"payload":{"in.kind.deeper":"grill"}}`:           false,
		`{"payload":{"s":{"glob":"o?e"}}}`:                 true,
		`{"payload":{"s":"one"},"registrationId":"other"}`: false,

		`{"registrationId":{"in":["x","oven-12-x"]}}`:                                   true,
		`{"registrationId":{"in":["x"]}}`:                                               false,
		`{"payload":{"s":{"in":[1,"one"]}}}`:                                            true,
		`{"payload":{"n":{"in":[1,"one"]}}}`:                                            true,
		`{"payload":{"z":{"in":[1,"one"]}}}`:                                            false,
		`{"payload":{"n":{"atLeast":1}}}`:                                               true,
		`{"payload":{"n":{"below":1}}}`:                                                 false,
		`{"payload":{"n":{"atLeast":0.5,"below":1.5}}}`:                                 true,
		`{"payload":{"n":{"atLeast":1.5,"below":3}}}`:                                   false,
		`{"payload":{"s":{"atLeast":0}}}`:                                               false,
		`{"payload":{"z":{"below":1}}}`:                                                 false,
		`{"payload":{"fw":{"version":">=1.2 <2"}}}`:                                     true,
		`{"payload":{"fw":{"version":">1.9.9"}}}`:                                       true,
		`{"payload":{"fw":{"version":"1.10.3.0"}}}`:                                     true,
		`{"payload":{"fw":{"version":"<1.10.3"}}}`:                                      false,
		`{"payload":{"v":{"version":">1.9"}}}`:                                          true,
		`{"payload":{"b":{"version":">0"}}}`:                                            false,
		`{"payload":{"s":{"version":">0"}}}`:                                            false,
		`{"any":[{"payload":{"s":"two"}},{"registrationId":{"prefix":"oven"}}]}`:        true,
		`{"any":[{"payload":{"s":"two"}},{"registrationId":{"prefix":"toaster"}}]}`:     false,
		`{"any":[{"payload":{"s":"one"}}],"registrationId":"other"}`:                    false,
		`{"not":{"payload":{"absent":1}}}`:                                              true,
		`{"not":{"payload":{"s":"one"}}}`:                                               false,
		`{"not":{"any":[{"payload":{"s":"one"}},{"payload":{"s":"two"}}]}}`:             false,
		`{"not":{"not":{"payload":{"s":"one"}}},"payload":{"n":1}}`:                     true,
		`{"not":{"registrationId":{"suffix":"-y"}},"payload":{"in.kind":{"in":["a"]}}}`: false,
	} {
		policy, err := allocation.ParsePolicy([]byte(`{"rules":[{"when":` + when + `,"hub":"a.net"}]}`))
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		if got := policy.Decide([]byte(device)).Hub == "a.net"; got != want {
			t.Errorf("%s matches: %v, want %v", when, got, want)
		}
	}
}

func TestRulesPickAmongHubs(t *testing.T) {
	for hub, want := range map[string]string{
		`{"contains":".net"}`:                "b.net",
		`{"contains":".net","pick":"last"}`:  "b.net",
		`{"contains":".net","pick":"first"}`: "a.net",
		`{"glob":"a*"}`:                      "a.net",
		`{"prefix":"c"}`:                     "",
		`{"in":["c.net","a.net"]}`:           "a.net",
		`{"equals":"hashed"}`:                "",
	} {
		policy, err := allocation.ParsePolicy([]byte(`{"rules":[{"hub":` + hub + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		d := policy.Decide([]byte(ask(`"d1"`, `["a.net","b.net"]`)))
		if d.Hub != want {
			t.Errorf("%s picks %q, want %q", hub, d.Hub, want)
		}
		if want == "" && string(d.Body) != "No hub found for the enrollment." {
			t.Errorf("%s says %q", hub, d.Body)
		}
	}
}

func TestARuleReturnsItsPayload(t *testing.T) {
	policy, err := allocation.ParsePolicy([]byte(`{"rules":[{"hub":"h","payload":{"z": 1, "a": [2]}}],"otherwise":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(policy.Decide([]byte(ask(`"d"`, `["h"]`))).Body), `{"iotHubHostName":"h","payload":{"z":1,"a":[2]}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
