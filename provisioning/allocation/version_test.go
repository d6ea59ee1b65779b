package allocation_test

import (
	"testing"

	"dpsfleet/provisioning/allocation"
)

func TestVersionsAreComparedNumberByNumber(t *testing.T) {
	for versions, want := range map[string]map[string]bool{
		">=1.2 <2":  {"1.2": true, "1.2.0": true, "1.10": true, "1.1.9": false, "2": false, "2.0.0": false, "01.002": true},
		">1.2 <=2":  {"1.2": false, "1.2.0.0": false, "1.2.0.1": true, "2.0": true, "2.0.1": false},
		"1.2":       {"1.2": true, "1.2.0": true, "1.20": false},
		"=12.0.2.5": {"12.0.2.5": true, "12.0.2.50": false},
		">99999999999999999999": {
			"100000000000000000000": true, "99999999999999999999": false, "0099999999999999999999": false, "9": false,
		},
		">=0": {"0": true, "": false, ".": false, "1.": false, "1..2": false, "v1": false, "1.2-beta": false, "1.2+7": false, "-1": false, " 1": false, "١": false},
	} {
		for version, holds := range want {
			policy := allocation.Policy{Rules: []allocation.Rule{{
				When: allocation.When{Payload: map[string]allocation.Match{"firmware": {Version: allocation.Versions(versions)}}},
			}}}
			d := policy.Decide([]byte(`{"deviceRuntimeContext":{"registrationId":"d","payload":{"firmware":"` + version + `"}},"linkedHubs":["h"]}`))
			if (d.Hub == "h") != holds {
				t.Errorf("%q in %q: %v, want %v", version, versions, !holds, holds)
			}
		}
	}
}
