package scenarios_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/invopop/jsonschema"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The schema is made from the structs, so that the two cannot drift apart.
func TestSchemaIsGenerated(t *testing.T) {
	t.Chdir("..")
	isGenerated(t, "scenario.schema.json", scenarios.Schema, generateSchema(t))
}

// isGenerated holds an embedded file against what the structs give.
func isGenerated(t *testing.T, name string, have, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile("scenarios/"+name, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what the structs give; run go generate ./scenarios", name)
	}
}

func generateSchema(t *testing.T) []byte {
	r := &jsonschema.Reflector{Mapper: ofItsOwn, RequiredFromJSONSchemaTags: false}
	for _, room := range []string{"./scenarios", "./device", "./metrics", "./provisioning"} {
		if err := r.AddGoComments("dpsfleet", room); err != nil {
			t.Fatal(err)
		}
	}
	schema := r.Reflect(&scenarios.Scenario{})
	for _, part := range []any{&scenarios.Fleet{}, &scenarios.Reboot{}, &metrics.Expectation{}} {
		for name, def := range r.Reflect(part).Definitions {
			schema.Definitions[name] = def
		}
	}
	schema.ID = "scenario.schema.json"
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// ofItsOwn is the schema of a type that writes itself.
func ofItsOwn(t reflect.Type) *jsonschema.Schema {
	text := func(format string) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Format: format} }
	ref := func(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }
	list := func(of *jsonschema.Schema) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "array", Items: of, MinItems: new(uint64)}
	}
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[provisioning.Key]():
		return text("dps-key")
	case reflect.TypeFor[provisioning.Code](): // of an error, in the first three digits
		return &jsonschema.Schema{Type: "integer", Minimum: "400000", Maximum: "599999"}
	case reflect.TypeFor[scenarios.Duration]():
		return text("dps-duration")
	case reflect.TypeFor[scenarios.Window]():
		return text("dps-window")
	case reflect.TypeFor[scenarios.FaultAction]():
		return text("dps-fault")
	case reflect.TypeFor[scenarios.Portion]():
		return text("dps-portion")
	case reflect.TypeFor[emulator.Quotas]():
		return text("dps-quotas")
	case reflect.TypeFor[emulator.Span]():
		return text("dps-span")
	case reflect.TypeFor[scenarios.Stages]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text("dps-arrival"), list(text("dps-arrival"))}}
	case reflect.TypeFor[scenarios.Fleets]():
		one := uint64(1)
		return &jsonschema.Schema{Type: "object", AdditionalProperties: ref("Fleet"), MinProperties: &one}
	case reflect.TypeFor[metrics.Expectations]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{ref("Expectation"), list(ref("Expectation"))}}
	case reflect.TypeFor[scenarios.Reboots]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{ref("Reboot"), list(ref("Reboot"))}}
	case reflect.TypeFor[metrics.ExpectedCode]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "100000", Maximum: "999999"}, text("dps-code"),
		}}
	case reflect.TypeFor[device.Outcome]():
		outcomes := &jsonschema.Schema{Type: "string"}
		for _, o := range device.Outcomes() {
			outcomes.Enum = append(outcomes.Enum, o)
		}
		return outcomes
	case reflect.TypeFor[metrics.Threshold]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text("dps-threshold"), thresholdBlock(text)}}
	}
	return nil
}

// thresholdBlock is the long form of a threshold.
func thresholdBlock(text func(string) *jsonschema.Schema) *jsonschema.Schema {
	properties := jsonschema.NewProperties()
	properties.Set("when", text("dps-threshold"))
	properties.Set("abort", &jsonschema.Schema{Type: "boolean"})
	properties.Set("after", text("dps-duration"))
	return &jsonschema.Schema{
		Type: "object", Properties: properties, Required: []string{"when"}, AdditionalProperties: jsonschema.FalseSchema,
	}
}
