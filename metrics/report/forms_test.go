package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
	"dpsfleet/provisioning"
)

func provisioningState(hub string) provisioning.RegistrationState {
	return provisioning.RegistrationState{Status: provisioning.Assigned, AssignedHub: hub + "!"}
}

func TestJUnit(t *testing.T) {
	golden(t, "pass.xml", written(t, report.JUnit, spreadOut(t)))
	r := failing(t)
	r.Run.Reconciliation = metrics.Reconciliation{
		Checked: true, Differing: 1, Differences: []metrics.Difference{{ID: "a\nb", Device: "assigned to x", Cloud: "nothing"}},
	}
	text := written(t, report.JUnit, r)
	golden(t, "fail.xml", text)
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Cases    []struct {
			Name string `xml:"name,attr"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal([]byte(text), &suites); err != nil {
		t.Fatal(err)
	}
	failures, errs := strings.Count(text, "<failure "), strings.Count(text, "<error ")
	if suites.Tests != len(suites.Cases) || suites.Failures != failures || suites.Errors != errs || failures != 6 || errs != 1 {
		t.Errorf("the sums say %d, %d, %d; there are %d, %d, %d", suites.Tests, suites.Failures, suites.Errors, len(suites.Cases), failures, errs)
	}
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	c := report.NewCSV(&out)
	b := boot("toasters", "breakroom1-contoso-tstrsd-007", toastersHub)
	c.Boot(&b)
	b = boot("strangers", "doorbell1", "")
	b.Allocations = []metrics.Allocation{{Status: 503}, {Status: 400}}
	c.Boot(&b)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "boots.csv", out.String())
	for _, column := range report.Columns() {
		if column.About == "" {
			t.Errorf("%s is not documented", column.Name)
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	for _, start := range []string{"=", "+", "-", "@", "\t", "\r", "\n=", "\u202e="} {
		hostile := start + "cmd|' /C calc'!A0,\"x\""
		b := boot(hostile, hostile, hostile)
		b.Error, b.Unmet, b.Model = hostile, hostile, hostile
		var out bytes.Buffer
		c := report.NewCSV(&out)
		c.Boot(&b)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		for i, cell := range rows[1] {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("%s is %q", rows[0][i], cell)
			}
		}
	}
}

func TestSchemaIsGenerated(t *testing.T) {
	t.Chdir("../..")
	r := &jsonschema.Reflector{Mapper: ofItsOwn}
	for _, room := range []string{"./metrics", "./device", "./provisioning"} {
		if err := r.AddGoComments("dpsfleet", room); err != nil {
			t.Fatal(err)
		}
	}
	schema := r.Reflect(&metrics.Report{})
	schema.ID = "summary.schema.json"
	want, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	const path = "metrics/report/summary.schema.json"
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(report.Schema, want) {
		t.Error("summary.schema.json is not what the structs give; run go generate ./metrics/report")
	}
}

// ofItsOwn is the schema of what writes itself.
func ofItsOwn(t reflect.Type) *jsonschema.Schema {
	text := &jsonschema.Schema{Type: "string"}
	switch t {
	case reflect.TypeFor[metrics.Millis]():
		return &jsonschema.Schema{Type: "number", Description: "milliseconds"}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{}
	case reflect.TypeFor[metrics.Threshold]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text, {Type: "object"}}}
	case reflect.TypeFor[metrics.Expectations]():
		return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "object"}}
	}
	if t.Kind() == reflect.Uint8 { // a stage
		return text
	}
	return nil
}

func TestSummariesMeetTheirSchema(t *testing.T) {
	doc, err := validator.UnmarshalJSON(bytes.NewReader(report.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("summary.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("summary.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]metrics.Report{"pass": spreadOut(t), "fail": failing(t), "hostile": hostileReport(t, "<\x00\u202e>")} {
		value, err := validator.UnmarshalJSON(strings.NewReader(written(t, report.JSON, r)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every form that is made again from the log is the one that the run made.
func TestEveryFormIsTheSameFromTheLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.ndjson")
	writeLog(t, path, 2000, 0)
	forms := func() []string {
		var boots bytes.Buffer
		c := report.NewCSV(&boots)
		r, err := metrics.ReportLog(path, metrics.Fold{Boot: c.Boot})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		return []string{written(t, report.HTML, r), written(t, report.JUnit, r), written(t, report.JSON, r), boots.String()}
	}
	first, second := forms(), forms()
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("form %d differs", i)
		}
	}
}

func TestComparison(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.ndjson"), filepath.Join(dir, "b.ndjson")
	writeLog(t, a, 1000, 0)
	writeLog(t, b, 1000, ms(400).Duration())
	c, err := metrics.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	c.A.Log, c.B.Log = "a.ndjson", "b.ndjson"
	var out strings.Builder
	if err := report.Comparison(&out, c, report.Options{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "compare.txt", out.String())
}
