package prom_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// expression is PromQL that stands in a dashboard or a rule.
type expression struct{ where, promql string }

// expressions are those of every dashboard, its variables included, and rule.
func expressions(t *testing.T) []expression {
	t.Helper()
	all := ruleExpressions(t)
	for _, file := range glob(t, "dashboards/*.json") {
		var dashboard any
		if err := json.Unmarshal(content(t, file), &dashboard); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		before := len(all)
		walk(dashboard, "", func(title, key, value string) {
			switch {
			case key == "expr":
				all = append(all, expression{filepath.Base(file) + ": " + title, filled(value)})
			case key == "definition":
				all = append(all, expression{filepath.Base(file) + ": variable", variable(t, value)})
			}
		})
		if len(all) == before {
			t.Errorf("%s has no expression", file)
		}
	}
	return all
}

func ruleExpressions(t *testing.T) (all []expression) {
	t.Helper()
	for _, file := range glob(t, "rules/*.yml") {
		var rules struct {
			Groups []struct {
				Rules []struct{ Alert, Record, Expr string }
			}
		}
		if err := yaml.Unmarshal(content(t, file), &rules); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, group := range rules.Groups {
			for _, r := range group.Rules {
				all = append(all, expression{r.Alert + r.Record, r.Expr})
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("no rule")
	}
	return all
}

// walk visits every text of a dashboard with the title of the panel it is in.
func walk(node any, title string, visit func(title, key, value string)) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			walk(child, title, visit)
		}
	case map[string]any:
		if own, ok := node["title"].(string); ok {
			title = own
		}
		for key, child := range node {
			if text, ok := child.(string); ok {
				visit(title, key, text)
			}
			walk(child, title, visit)
		}
	}
}

// filled has Grafana's variables as Grafana fills them in for All.
func filled(promql string) string {
	return strings.NewReplacer("$__rate_interval", "15s", `"$fleet"`, `".*"`, `"$instance"`, `".*"`).Replace(promql)
}

// variable is the series that a variable takes its values from, which must have
// the label.
func variable(t *testing.T, definition string) string {
	t.Helper()
	parts := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(definition)
	if parts == nil {
		t.Fatalf("a variable is %q", definition)
	}
	return parts[1] + "{" + parts[2] + `!=""}`
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	return files
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDashboardsAreGrafanas(t *testing.T) {
	uids := make(map[string]string)
	for _, file := range glob(t, "dashboards/*.json") {
		var d struct {
			UID, Title    string
			SchemaVersion int
			Panels        []struct {
				ID         int
				Title      string
				Datasource struct{ UID string }
				GridPos    struct{ X, Y, W, H int }
				Targets    []struct{ Expr string }
			}
			Templating struct{ List []struct{ Name, Type string } }
		}
		if err := json.Unmarshal(content(t, file), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.UID == "" || uids[d.UID] != "" || d.Title == "" || d.SchemaVersion == 0 {
			t.Errorf("%s: uid %q, title %q, schema %d", file, d.UID, d.Title, d.SchemaVersion)
		}
		uids[d.UID] = file
		if first := d.Templating.List[0]; first.Name != "datasource" || first.Type != "datasource" {
			t.Errorf("%s: its first variable is %+v", file, first)
		}
		for i, p := range d.Panels {
			if p.ID != i+1 || p.Title == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: panel %+v", file, p)
			}
		}
	}
}
