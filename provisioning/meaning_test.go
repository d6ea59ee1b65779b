package provisioning_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

func TestSameMeaning(t *testing.T) {
	tests := []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":[true,null]}`, ` {"b": [true, null], "a": 1.0}`, true},
		{`1e2`, `100`, true},
		{`100000000000000000001`, `100000000000000000000`, false},
		{`1e999999999999`, `2e999999999999`, false},
		{`1e999999999`, `2e999999999`, false},
		{`1e-999999999`, `0`, false},
		{`-0.0`, `0e7`, true},
		{`[1,2]`, `[2,1]`, false},
		{`"1"`, `1`, false},
		{`{}`, `[]`, false},
		{`null`, `{}`, false},
		{`{"a":null}`, `{}`, false},
		{`"\u00e9"`, `"é"`, true},
	}
	for _, test := range tests {
		if got := provisioning.SameMeaning(provisioning.Meaning([]byte(test.a)), provisioning.Meaning([]byte(test.b))); got != test.same {
			t.Errorf("%s and %s: %v", test.a, test.b, got)
		}
	}
	long := strings.Repeat("7", 1<<20) // takes seconds to read
	if !provisioning.SameMeaning(json.Number(long), json.Number(long)) || provisioning.SameMeaning(json.Number(long), json.Number(long+".0")) {
		t.Error("a number that is too long is its digits")
	}
	if provisioning.Meaning([]byte("nonsense")) != nil {
		t.Error("nonsense has a meaning")
	}
}
