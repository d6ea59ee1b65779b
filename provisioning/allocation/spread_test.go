package allocation_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

func policyOf(t *testing.T, text string) allocation.Policy {
	t.Helper()
	policy, err := allocation.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// decide asks a policy about a device that is at a hub, or at none.
func decide(policy allocation.Policy, id, at, payload string, linked ...string) allocation.Decision {
	hubs, _ := provisioning.Marshal(linked)
	context := `"registrationId":"` + id + `"`
	if at != "" {
		context += `,"currentIotHubHostName":"` + at + `"`
	}
	if payload != "" {
		context += `,"payload":` + payload
	}
	return policy.Decide([]byte(`{"deviceRuntimeContext":{` + context + `},"linkedHubs":` + string(hubs) + `}`))
}

// landed is where devices are sent, by their number.
func landed(policy allocation.Policy, devices int, linked ...string) []string {
	hubs := make([]string, devices)
	for i := range hubs {
		hubs[i] = decide(policy, fmt.Sprintf("device-%d", i), "", "", linked...).Hub
	}
	return hubs
}

func count(hubs []string, hub string) (n int) {
	for _, h := range hubs {
		if h == hub {
			n++
		}
	}
	return n
}

const manyDevices = 4000

// near allows five standard deviations of a fair draw.
func near(t *testing.T, what string, got int, share float64) {
	t.Helper()
	want := share * manyDevices
	if math.Abs(float64(got)-want) > 5*math.Sqrt(want*(1-share)) {
		t.Errorf("%s: %d devices, want about %.0f", what, got, want)
	}
}

func TestSpreadFollowsItsWeights(t *testing.T) {
	spread := policyOf(t, `{"rules":[{"hub":{"spread":{"b.net":0.5,"*.net":1,"large":2.5}}}]}`)
	hubs := landed(spread, manyDevices, "a.net", "b.net", "large", "stranger")
	for hub, share := range map[string]float64{"a.net": 0.25, "b.net": 0.125, "large": 0.625, "stranger": 0} {
		near(t, hub, count(hubs, hub), share)
	}
	even := policyOf(t, `{"rules":[{"hub":"hashed"}]}`)
	hubs = landed(even, manyDevices, "a", "b", "c")
	for _, hub := range []string{"a", "b", "c"} {
		near(t, "hashed to "+hub, count(hubs, hub), 1.0/3)
	}
	some := policyOf(t, `{"rules":[{"hub":{"prefix":"a","pick":"hashed"}}]}`)
	hubs = landed(some, manyDevices, "a1", "b", "a2")
	near(t, "hashed among two", count(hubs, "a1"), 0.5)
	near(t, "hashed among two", count(hubs, "a2"), 0.5)
}

// The property of rendezvous hashing that people buy it for.
func TestANewHubMovesOnlyItsShare(t *testing.T) {
	policy := policyOf(t, `{"rules":[{"hub":{"spread":{"new":2,"*":1}}}]}`)
	before := landed(policy, manyDevices, "a", "b", "c")
	after := landed(policy, manyDevices, "c", "new", "a", "b")
	moved := 0
	for i := range before {
		if before[i] == after[i] {
			continue
		}
		moved++
		if after[i] != "new" {
			t.Fatalf("device %d moved from %s to %s, which was there before", i, before[i], after[i])
		}
	}
	near(t, "moved to the new hub", moved, 2.0/5)
}

func TestAWeightMovesNobodyBetweenTheOthers(t *testing.T) {
	before := landed(policyOf(t, `{"rules":[{"hub":{"spread":{"a":1,"*":1}}}]}`), manyDevices, "a", "b", "c")
	after := landed(policyOf(t, `{"rules":[{"hub":{"spread":{"a":3,"*":1}}}]}`), manyDevices, "a", "b", "c")
	for i := range before {
		if before[i] != after[i] && after[i] != "a" {
			t.Fatalf("device %d moved from %s to %s", i, before[i], after[i])
		}
	}
}

func TestIdsThatDifferInCaseAreOneDevices(t *testing.T) {
	policy := policyOf(t, `{"rules":[{"hub":"hashed"}]}`)
	linked := []string{"a", "b", "c", "d", "e"}
	for i := range 50 {
		id := fmt.Sprintf("Device-%d", i)
		if lower, upper := decide(policy, strings.ToLower(id), "", "", linked...), decide(policy, strings.ToUpper(id), "", "", linked...); lower.Hub != upper.Hub {
			t.Errorf("%s goes to %s and %s", id, lower.Hub, upper.Hub)
		}
	}
}

func TestSticky(t *testing.T) {
	const drain = `{"rules":[{"hub":{"spread":{"old":0,"new*":1}},"sticky":true}]}`
	for name, c := range map[string]struct {
		policy, at string
		linked     []string
		want       string
	}{
		"it stays":                         {drain, "new1", []string{"new1", "new2", "old"}, "new1"},
		"where nobody new goes":            {drain, "old", []string{"new1", "old"}, "old"},
		"whatever the case":                {drain, "OLD", []string{"new1", "old"}, "old"},
		"not where no hub is linked":       {drain, "old", []string{"new1"}, "new1"},
		"not where the rule sends nobody":  {drain, "other", []string{"new1", "other"}, "new1"},
		"first assignment":                 {drain, "", []string{"old", "new1"}, "new1"},
		"nobody new, and nobody else":      {drain, "", []string{"old"}, ""},
		"not without the word":             {`{"rules":[{"hub":{"prefix":"new"}}]}`, "new1", []string{"new1", "new2"}, "new2"},
		"with the last of several":         {`{"rules":[{"hub":{"prefix":"new"},"sticky":true}]}`, "new1", []string{"new1", "new2"}, "new1"},
		"in otherwise":                     {`{"rules":[{"when":{"registrationId":"x"},"hub":"x"}],"otherwise":{"hub":"hashed","sticky":true}}`, "b", []string{"a", "b", "c"}, "b"},
		"not to a hub that cannot be read": {drain, `","currentIotHubHostName":7,"x":"`, []string{"new1", "old"}, "new1"},
	} {
		t.Run(name, func(t *testing.T) {
			if d := decide(policyOf(t, c.policy), "d1", c.at, "", c.linked...); d.Hub != c.want {
				t.Errorf("goes to %q, want %q (%s)", d.Hub, c.want, d.Fault)
			}
		})
	}
}

func TestRegion(t *testing.T) {
	policy, _ := allocation.Shipped("region")
	linked := []string{"contoso-eu-1", "contoso-us-1", "contoso-us-2"}
	for payload, want := range map[string][]string{
		`{"region":"westeurope"}`:    {"contoso-eu-1"},
		`{"region":"europe"}`:        {"contoso-eu-1"},
		`{"region":"eastus"}`:        {"contoso-us-1", "contoso-us-2"},
		`{"region":"japan"}`:         linked,
		`{"region":7}`:               linked,
		`{"region":null}`:            linked,
		`{"other":{"region":"us"}}`:  linked,
		`"europe"`:                   linked,
		`{"region":"","region2":""}`: linked,
	} {
		got := map[string]bool{}
		for i := range 40 {
			got[decide(policy, fmt.Sprint("d", i), "", payload, linked...).Hub] = true
		}
		for hub := range got {
			if !slices.Contains(want, hub) {
				t.Errorf("%s goes to %q", payload, hub)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s is spread over %v, want %v", payload, got, want)
		}
	}
	d := decide(policy, "d", "", `{"region":"westeurope"}`, "contoso-us-1")
	if d.Status != http.StatusBadRequest || string(d.Body) != "No hub of the region found for the enrollment." {
		t.Errorf("without a hub of the region: %d %s", d.Status, d.Body)
	}
	if d := decide(policy, "d", "", `{}`, "contoso-us-1"); !strings.Contains(string(d.Body), `"tags":{"region":"unknown"}`) {
		t.Errorf("a device of no region is told %s", d.Body)
	}
}

func TestByFirmware(t *testing.T) {
	policy, _ := allocation.Shipped("by-firmware")
	for firmware, want := range map[string]string{
		`"1.1.9"`: "contoso-update-1", `"1.2"`: "contoso-fleet-1", `"1.10.7"`: "contoso-fleet-1", `1.1`: "contoso-update-1",
		`"2.0"`: "", `"soon"`: "", `null`: "",
	} {
		d := decide(policy, "d", "", `{"firmware":`+firmware+`}`, "contoso-update-1", "contoso-fleet-1")
		if d.Hub != want {
			t.Errorf("%s goes to %q, want %q", firmware, d.Hub, want)
		}
		if want == "" && string(d.Body) != "Unknown firmware." {
			t.Errorf("%s is told %s", firmware, d.Body)
		}
	}
}

func TestUnservedNamesWhatIsSoughtInVain(t *testing.T) {
	policy := policyOf(t, `{"rules":[
		{"when":{"registrationId":"x"},"hub":{"contains":"-toasters-"}},
		{"when":{"registrationId":"y"},"hub":{"spread":{"*-fleet-*":1,"lost.net":2}}},
		{"when":{"registrationId":"z"},"hub":{"region":{"payload":"r","hubs":{"eu":"*-eu-*","us":"*-fleet-*"}}}},
		{"when":{"registrationId":"h"},"hub":"hashed"}
	],"otherwise":{"hub":"contoso-rest-1"}}`)
	var got []string
	for _, m := range policy.Unserved([]string{"contoso-fleet-1"}) {
		got = append(got, m.Path())
	}
	want := []string{`rules[0].hub`, `rules[1].hub.spread["lost.net"]`, `rules[2].hub.region.hubs.eu`, `otherwise.hub`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if found := allocation.Contoso().Unserved([]string{toasters, heatpumps}); len(found) > 0 {
		t.Errorf("the tutorial's seeks %v in vain", found)
	}
}

func BenchmarkDecideSpread(b *testing.B) {
	policy, _ := allocation.Shipped("weighted")
	body := []byte(`{"deviceRuntimeContext":{"registrationId":"d1"},"linkedHubs":["c-large-1","c-large-2","c-small-1","c-small-2"]}`)
	for b.Loop() {
		policy.Decide(body)
	}
}
