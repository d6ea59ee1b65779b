package metrics_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dpsfleet/metrics"
)

func expectations(t *testing.T, text string) (es metrics.Expectations) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &es); err != nil {
		t.Fatal(err)
	}
	return es
}

func TestExpectations(t *testing.T) {
	onHub := func() *life {
		return born("f", "a", start).online(toastersHub, `{"state":"ready","n":1.0,"deep":{"a":[1,2],"b":null}}`)
	}
	failed := func() *life { return born("f", "a", start).failed(400207) }
	tests := []struct {
		name, expect string
		life         *life
		unmet        string // "" is met
	}{
		{"DefaultIsAssigned", `[]`, onHub(), ""},
		{"DefaultIsNotFailed", `[]`, failed(), "it ended failed with 400207 CustomAllocationFailed, not assigned"},
		{"HubByGlob", `{"hub":"*-TOASTERS-*"}`, onHub(), ""},
		{"OtherHub", `{"hub":"*-heatpumps-*"}`, onHub(), "its hub is " + toastersHub + ", not *-heatpumps-*"},
		{"CodeByNumber", `{"code":400207}`, failed(), ""},
		{"CodeByName", `{"outcome":"failed","code":"CustomAllocationFailed"}`, failed(), ""},
		{"OtherCode", `{"code":400208}`, failed(), "not with 400208 CustomAllocationIotHubNotSpecified"},
		{"SubsetOfDesired", `{"desired":{"n":1,"deep":{"b":null}}}`, onHub(), ""},
		{"TextIsNoNumber", `{"desired":{"n":"1"}}`, onHub(), `desired.n is 1.0, not "1"`},
		{"ListsAreWhole", `{"desired":{"deep":{"a":[1]}}}`, onHub(), "desired.deep.a is [1,2], not [1]"},
		{"MemberMissing", `{"desired":{"deep":{"c":1}}}`, onHub(), "desired.deep.c is missing, expected 1"},
		{"NoObject", `{"desired":{"state":{"a":1}}}`, onHub(), `desired.state is "ready", not an object`},
		{"PayloadMissing", `{"payload":{"a":1}}`, onHub(), "payload is missing"},
		{"Tags", `{"tags":{"deviceType":"toaster"}}`, onHub(), ""},
		{"OtherTags", `{"tags":{"deviceType":"heatpump"}}`, onHub(), `tags.deviceType is "toaster", not "heatpump"`},
		{"OneOfThem", `[{"hub":"*-heatpumps-*"},{"outcome":"failed"}]`, failed(), ""},
		{"NearestIsTold", `[{"outcome":"failed"},{"hub":"*-toasters-*","desired":{"state":"x"}}]`, onHub(), `desired.state is "ready", not "x"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			info := metrics.RunInfo{Ours: true, Fleets: []metrics.Fleet{{Name: "f", Expect: expectations(t, test.expect)}}}
			boots, _ := logged(t, info, func(c *metrics.Collector) {
				play(c, test.life, decided("a", toastersHub, `{"deviceType": "toaster"}`))
			})
			b := boots[0]
			if b.Met != (test.unmet == "") || !strings.Contains(b.Unmet, test.unmet) {
				t.Errorf("met %v, %q; want %q", b.Met, b.Unmet, test.unmet)
			}
		})
	}
}

func TestExpectationMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`{"outcome":"asigned"}`:                `was "assigned" meant?`,
		`{"outcome":"nonsense"}`:               `there are assigned, failed`,
		`{"hub":"[x"}`:                         "hub: ",
		`{"outcome":"assigned","code":400207}`: "code: a boot that ends assigned has none",
		`{"outcome":"failed","hub":"x"}`:       "outcome: a boot that ends failed has no hub",
		`{"desired":[1]}`:                      "desired: expected an object",
		`{"share":"99%"}`:                      "share: ",
		`{"share":">= 99"}`:                    "share: ",
	} {
		for _, e := range expectations(t, text) {
			if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %s", text, err, want)
			}
		}
	}
	for _, text := range []string{`{"code":7}`, `{"code":"Nonsense"}`, `{"hubb":"x"}`, `[{"hubb":"x"}]`, `7`} {
		if err := json.Unmarshal([]byte(text), new(metrics.Expectations)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestSharesAndWhatTheyAllow(t *testing.T) {
	tests := []struct {
		name, expect, threshold string
		passed                  bool
	}{
		{"NoneMayBeUnexpected", `[]`, "", false},
		{"ShareOfTheOnlyOne", `{"outcome":"assigned","share":">= 90%"}`, "", true},
		{"ShareMissed", `{"outcome":"assigned","share":"> 90%"}`, "", false},
		{"ThresholdDecides", `[]`, "unexpected <= 10%", true},
		{"RestMustMeetAnother", `[{"outcome":"assigned","share":">= 90%"},{"outcome":"disabled"}]`, "", false},
		{"RestMeetsAnother", `[{"outcome":"assigned"},{"outcome":"failed","share":"== 10%"}]`, "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			info := metrics.RunInfo{Fleets: []metrics.Fleet{{Name: "f", Expect: expectations(t, test.expect)}}}
			if test.threshold != "" {
				info.Thresholds = append(info.Thresholds, threshold(t, test.threshold))
			}
			c := collector(t, info)
			for i := range 9 {
				play(c, born("f", string(rune('a'+i)), start).online(toastersHub, `{}`))
			}
			play(c, born("f", "z", start).failed(400207))
			if r := c.Report(start.Add(time.Minute), metrics.End{}); r.Passed() != test.passed {
				t.Errorf("passed %v: %v %+v", r.Passed(), r.Failures, r.Expectations)
			}
		})
	}
}

func TestFleetWithoutBootsFails(t *testing.T) {
	c := collector(t, metrics.RunInfo{Fleets: []metrics.Fleet{{Name: "f"}, {Name: "empty"}}})
	play(c, born("f", "a", start).online(toastersHub, `{}`))
	if r := c.Report(start, metrics.End{}); r.Passed() || r.ExitCode() != metrics.ExitUnmet {
		t.Errorf("passed: %+v", r.Expectations)
	}
}

func TestTagsOfACloudThatIsNotOurs(t *testing.T) {
	c := collector(t, metrics.RunInfo{Fleets: []metrics.Fleet{{Name: "f", Expect: expectations(t, `{"tags":{"a":1}}`)}}})
	play(c, born("f", "a", start).online(toastersHub, `{}`))
	r := c.Report(start, metrics.End{})
	if !r.Expectations[0].TagsUnchecked || r.Run.Reconciliation.Checked {
		t.Errorf("what cannot be seen must be said: %+v", r)
	}
}
