package allocation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

func TestParsePolicyReportsAllMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no files of mistakes", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			p, err := allocation.ParsePolicy(read(t, "mistakes/"+name+".json"))
			if err == nil {
				t.Fatalf("it is taken for %+v", p)
			}
			golden(t, "mistakes/"+name+".txt", []byte(err.Error()+"\n"))
			if mistake := new(allocation.Mistake); !errors.As(err, &mistake) {
				t.Errorf("%T holds no Mistake", err)
			}
		})
	}
}

func TestParsePolicyQuotesNoValue(t *testing.T) {
	_, err := allocation.ParsePolicy([]byte(`{"name":7,"otherwise":["functionsecret"],"rules":[{"hub":{"pick":"functionsecret"},"tags":"functionsecret"}]}`))
	if err == nil || strings.Contains(err.Error(), "functionsecret") {
		t.Errorf("got %v", err)
	}
}

func TestParsePolicyBoundsItsReport(t *testing.T) {
	_, err := allocation.ParsePolicy([]byte(`{"rules":[` + strings.Repeat(`1,`, 10000) + `1]}`))
	if n := strings.Count(err.Error(), "\n") + 1; n != 50 {
		t.Errorf("%d lines", n)
	}
}

func TestPolicyReadsBackAsWritten(t *testing.T) {
	for _, name := range allocation.ShippedNames() {
		p, _ := allocation.Shipped(name)
		text, err := provisioning.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var again allocation.Policy
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if twice, _ := provisioning.Marshal(again); !bytes.Equal(text, twice) {
			t.Errorf("written %s, then %s", text, twice)
		}
	}
}

func TestAPolicyInsideOfAnotherDocumentIsReadStrictly(t *testing.T) {
	var doc struct{ Policy *allocation.Policy }
	err := json.Unmarshal([]byte(`{"policy":{"rules":[{"hub":"h","hubb":"h"}]}}`), &doc)
	if err == nil || !strings.Contains(err.Error(), "rules[0].hubb is unknown") {
		t.Errorf("got %v", err)
	}
}

func TestShippedPolicies(t *testing.T) {
	if names := allocation.ShippedNames(); !slices.Equal(names, []string{"by-firmware", "by-payload", "contoso", "region", "weighted"}) {
		t.Errorf("shipped are %v", names)
	}
	for _, name := range allocation.ShippedNames() {
		p, err := allocation.Shipped(name)
		if err != nil || p.Name != name || p.About == "" || len(p.Rules) == 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for _, name := range []string{"", "nobody", "../policies/contoso", "contoso.json"} {
		if _, err := allocation.Shipped(name); err == nil {
			t.Errorf("%q is a shipped policy", name)
		}
	}
}
