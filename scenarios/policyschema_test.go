package scenarios_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/scenarios"
)

// The schema of policies is made from the structs, like the scenarios'.
func TestPolicySchemaIsGenerated(t *testing.T) {
	t.Chdir("..")
	isGenerated(t, "policy.schema.json", scenarios.PolicySchema, generatePolicySchema(t))
}

func generatePolicySchema(t *testing.T) []byte {
	t.Helper()
	var numbers allocation.Table[float64]
	var texts allocation.Table[string]
	r := &jsonschema.Reflector{Mapper: func(in reflect.Type) *jsonschema.Schema {
		switch in {
		case reflect.TypeOf(numbers):
			return table(&jsonschema.Schema{Type: "number", Minimum: "0", Maximum: "1000000"})
		case reflect.TypeOf(texts):
			return table(&jsonschema.Schema{Type: "string"})
		}
		return ofItsOwn(in)
	}}
	if err := r.AddGoComments("dpsfleet", "./provisioning/allocation"); err != nil {
		t.Fatal(err)
	}
	schema := r.Reflect(&allocation.Policy{})
	schema.ID = "policy.schema.json"
	scalar := &jsonschema.Schema{Extras: map[string]any{"type": []string{"string", "number", "boolean", "null"}}}
	text := &jsonschema.Schema{Type: "string"}
	values(schema.Definitions["Match"], scalar)
	hub := schema.Definitions["HubChoice"]
	values(hub, text)
	for _, name := range []string{"version", "atLeast", "below"} {
		hub.Properties.Delete(name) // a hub's name is text
	}
	hub.Properties.Set("pick", &jsonschema.Schema{Type: "string", Enum: []any{allocation.PickLast, allocation.PickFirst, allocation.PickHashed}})
	// Each has a short form beside its block.
	short(schema, "Match", scalar, "Match")
	short(schema, "HubChoice", text, "HubChoice")
	short(schema, "Otherwise", text, "Rule")
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// values are what equals and in take.
func values(def, of *jsonschema.Schema) {
	one := uint64(1)
	def.Properties.Set("equals", of)
	def.Properties.Set("in", &jsonschema.Schema{Type: "array", Items: of, MinItems: &one})
}

func table(of *jsonschema.Schema) *jsonschema.Schema {
	one := uint64(1)
	return &jsonschema.Schema{Type: "object", AdditionalProperties: of, MinProperties: &one}
}

// short lets a value be written in a short form or as the block of a definition.
func short(schema *jsonschema.Schema, name string, form *jsonschema.Schema, block string) {
	if block == name {
		block += "Block"
		schema.Definitions[block] = schema.Definitions[name]
	}
	schema.Definitions[name] = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{form, {Ref: "#/$defs/" + block}}}
}

// What ParsePolicy takes, the schema takes.
func TestPoliciesFitTheirSchema(t *testing.T) {
	schema := policySchema(t)
	texts := []string{
		`{"rules":[{"hub":{"contains":"x","pick":"hashed"},"when":{"payload":{"a":1,"b.c":{"in":[1,"x",null]},"v":{"version":">=1 <2"},"n":{"atLeast":1,"below":2}}}}],"otherwise":"no"}`,
		`{"rules":[{"hub":"hashed","when":{"any":[{"registrationId":"x"},{"not":{"payload":{"a":null}}}]}}],"otherwise":{"hub":{"in":["a"]},"desired":{}}}`,
	}
	for _, name := range allocation.ShippedNames() {
		policy, _ := allocation.Shipped(name)
		text, _ := provisioning.Marshal(policy)
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		if _, err := allocation.ParsePolicy([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := fits(t, schema, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The schema sees most mistakes; ParsePolicy sees all.
func TestTheSchemaRefusesMistakesInPolicies(t *testing.T) {
	schema := policySchema(t)
	for _, name := range []string{"many", "words", "no-rules", "list", "rules-object"} {
		text, err := os.ReadFile(filepath.Join("../provisioning/allocation/testdata/mistakes", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if fits(t, schema, string(text)) == nil {
			t.Errorf("%s fits", name)
		}
	}
}

func policySchema(t *testing.T) *validator.Schema {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(scenarios.PolicySchema))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("policy.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func fits(t *testing.T, schema *validator.Schema, text string) error {
	t.Helper()
	value, err := validator.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}
