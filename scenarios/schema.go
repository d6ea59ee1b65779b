package scenarios

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"dpsfleet/fleet"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/wording"
)

// Schema is the JSON Schema of the language, for editors. It is made from the
// structs of this package; go generate makes it again.
//
//go:embed scenario.schema.json
var Schema []byte

// formats are the values with a syntax of their own. Each has one parser, and
// the schema's format of that name is its check.
func formats() map[string]func(string) error {
	return map[string]func(string) error{
		"dps-arrival":   func(s string) error { _, err := fleet.ParseShape(s); return err },
		"dps-code":      func(s string) error { _, err := provisioning.ParseCode(s); return err },
		"dps-duration":  func(s string) error { _, err := ParseDuration(s); return err },
		"dps-fault":     func(s string) error { _, err := ParseFaultAction(s); return err },
		"dps-key":       func(s string) error { _, err := provisioning.ParseKey(s); return err },
		"dps-portion":   func(s string) error { _, err := ParsePortion(s); return err },
		"dps-quotas":    func(s string) error { _, err := emulator.ParseQuotas(s); return err },
		"dps-share":     metrics.CheckShare,
		"dps-span":      func(s string) error { _, err := emulator.ParseSpan(s); return err },
		"dps-threshold": func(s string) error { _, err := metrics.ParseThreshold(s); return err },
		"dps-window":    func(s string) error { _, err := ParseWindow(s); return err },
	}
}

func compileSchema() (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: digitsFormat, Validate: checkDigits})
	for name, check := range formats() {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if text, ok := v.(string); ok {
				return check(text)
			}
			return nil
		}})
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	wantDigits(doc)
	const url = "scenario.schema.json"
	if err := c.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	return c.Compile(url)
}

const digitsFormat = "digits"

// wantDigits gives each whole number of a schema a format: to JSON Schema 1e3 and 7.0
// are whole too, and encoding/json reads neither into an int.
func wantDigits(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if s["type"] == "integer" {
			s["format"] = digitsFormat
		}
		for _, part := range s {
			wantDigits(part)
		}
	case []any:
		for _, part := range s {
			wantDigits(part)
		}
	}
}

func checkDigits(v any) error {
	n, ok := v.(json.Number)
	if !ok || !strings.ContainsAny(n.String(), ".eE") {
		return nil
	}
	return fmt.Errorf("%.40s is to be written in digits alone", n)
}

// flaw is one violation of the schema, at a JSON pointer.
type flaw struct {
	pointer string
	text    string
	atName  bool // the name itself is what is wrong
}

// validate holds a document against the schema.
func validate(doc *document) ([]flaw, error) {
	schema, err := compileSchema()
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc.json))
	if err != nil {
		return nil, fmt.Errorf("reading the scenario: %w", err)
	}
	err = schema.Validate(value)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil, err
	}
	v := validation{names: schemaNames()}
	v.collect(invalid)
	return v.flaws, nil
}

type validation struct {
	names []string // all that the language has, for what was meant
	flaws []flaw
}

// collect gathers the leaves of a tree of errors. Of a value that may be of two
// kinds only the complaint of the kind that it has is of use.
func (v *validation) collect(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		v.collectBest(e)
		return
	}
	if len(e.Causes) == 0 {
		v.leaf(e)
	}
	for _, cause := range e.Causes {
		v.collect(cause)
	}
}

func (v *validation) collectBest(e *jsonschema.ValidationError) {
	var wanted []string
	for _, branch := range e.Causes {
		if want := wrongType(branch, len(e.InstanceLocation)); want != nil {
			wanted = append(wanted, want...)
			continue
		}
		v.collect(branch)
		return
	}
	v.add(e, "must be "+inWords(wanted))
}

// wrongType is what a branch wanted, if all that it says is that the value
// itself is of another kind.
func wrongType(e *jsonschema.ValidationError, depth int) []string {
	if t, ok := e.ErrorKind.(*kind.Type); ok && len(e.InstanceLocation) == depth {
		return t.Want
	}
	if len(e.Causes) == 1 {
		return wrongType(e.Causes[0], depth)
	}
	return nil
}

func (v *validation) leaf(e *jsonschema.ValidationError) {
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			v.flaws = append(v.flaws, flaw{
				pointer: pointerOf(e.InstanceLocation) + "/" + escapePointer.Replace(name),
				text:    unknownName(name, v.names),
				atName:  true,
			})
		}
	case *kind.Required:
		v.add(e, "lacks "+strings.Join(k.Missing, ", "))
	case *kind.Type:
		v.add(e, typeText(k))
	case *kind.Enum:
		v.add(e, enumText(k))
	case *kind.Format:
		v.add(e, k.Err.Error())
	case *kind.Minimum:
		v.add(e, "must be at least "+k.Want.RatString())
	case *kind.Maximum:
		v.add(e, "must be at most "+k.Want.RatString())
	case *kind.MinItems:
		v.add(e, atLeast(k.Want))
	case *kind.MaxItems:
		v.add(e, fmt.Sprintf("takes at most %d", k.Want))
	case *kind.MinProperties:
		v.add(e, atLeast(k.Want))
	case *kind.MinLength:
		v.add(e, "must not be empty")
	case *kind.Pattern:
		v.add(e, fmt.Sprintf("%.40q is no name; one is made of lower-case letters, digits and hyphens", k.Got))
	default:
		v.add(e, "is not what is expected here")
	}
}

func (v *validation) add(e *jsonschema.ValidationError, text string) {
	v.flaws = append(v.flaws, flaw{pointer: pointerOf(e.InstanceLocation), text: text})
}

func pointerOf(location []string) string {
	var out strings.Builder
	for _, name := range location {
		out.WriteByte('/')
		out.WriteString(escapePointer.Replace(name))
	}
	return out.String()
}

func unknownName(name string, names []string) string {
	text := fmt.Sprintf("%.40q is not a word of the language", name)
	return text + wording.Suggestion(name, names)
}

func atLeast(want int) string {
	if want == 1 {
		return "must not be empty"
	}
	return fmt.Sprintf("needs at least %d", want)
}

func typeText(k *kind.Type) string {
	text := "must be " + inWords(k.Want)
	if k.Got == "number" && slices.Contains(k.Want, "string") {
		text += ", with its unit, as 10s or 10/s, or in quotes"
	}
	return text
}

func enumText(k *kind.Enum) string {
	var words []string
	for _, want := range k.Want {
		words = append(words, fmt.Sprint(want))
	}
	text := fmt.Sprintf("%.40q is not one of %s", fmt.Sprint(k.Got), strings.Join(words, ", "))
	return text + wording.Suggestion(fmt.Sprint(k.Got), words)
}

// inWords says the kinds of JSON as people who write YAML do.
func inWords(kinds []string) string {
	words := map[string]string{
		"string": "a text", "object": "a block of names and values", "array": "a list",
		"integer": "a whole number", "number": "a number", "boolean": "true or false", "null": "empty",
	}
	var out []string
	for _, k := range kinds {
		if word := words[k]; !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return strings.Join(out, " or ")
}

// schemaNames are all property names in the schema.
func schemaNames() []string {
	var doc struct {
		Defs map[string]struct {
			Properties map[string]json.RawMessage `json:"properties"`
		} `json:"$defs"`
	}
	var names []string
	if json.Unmarshal(Schema, &doc) != nil {
		return nil
	}
	for _, def := range doc.Defs {
		for name := range def.Properties {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
