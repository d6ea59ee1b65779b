package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms are who may import whom among ourselves; what is not here may not be
// imported. A new room is a new line, and a decision.
var rooms = map[string][]string{
	"cmd/dpsfleet": {"*"},
	"scenarios": {
		"fleet", "device", "metrics", "provisioning", "provisioning/allocation", "provisioning/emulator", "provisioning/memnet", "provisioning/wording",
	},
	"fleet":                       {"device", "provisioning/wording"},
	"metrics":                     {"device", "provisioning", "provisioning/ndjson", "provisioning/wording"},
	"metrics/prom":                {"metrics", "device", "provisioning"},
	"metrics/live":                {"metrics", "device", "provisioning", "provisioning/wording"},
	"metrics/report":              {"metrics", "device", "provisioning", "provisioning/wording"},
	"device":                      {"provisioning", "provisioning/mqtt", "provisioning/wsnet"},
	"provisioning/emulator":       {"provisioning", "provisioning/mqtt", "provisioning/wsnet", "provisioning/allocation", "provisioning/emulator/hub", "provisioning/emulator/rest", "provisioning/emulator/store"},
	"provisioning/emulator/hub":   {"provisioning", "provisioning/mqtt", "provisioning/emulator/store"},
	"provisioning/emulator/rest":  {"provisioning"},
	"provisioning/emulator/store": {},
	"provisioning/allocation":     {"provisioning", "provisioning/ndjson", "provisioning/wording"},
	"provisioning/mqtt":           {},
	"provisioning/memnet":         {},
	"provisioning/ndjson":         {},
	"provisioning/wording":        {},
	"provisioning/wsnet":          {},
	"provisioning":                {},
}

// strangers are the third parties that only some rooms may import.
var strangers = map[string][]string{
	"github.com/eclipse/paho.mqtt.golang":      {}, // tests hold ours against it
	"gopkg.in/yaml.v3":                         {"scenarios"},
	"github.com/santhosh-tekuri/jsonschema/v6": {"scenarios"},
	"github.com/spf13/cobra":                   {"cmd/dpsfleet"},
	"github.com/spf13/pflag":                   {"cmd/dpsfleet"},
	"golang.org/x/term":                        {"cmd/dpsfleet"},
	"golang.org/x/sys":                         {"fleet"},
	"github.com/HdrHistogram/hdrhistogram-go":  {"metrics"},
	"github.com/klauspost/compress":            {"provisioning/ndjson"},
	"go.etcd.io/bbolt":                         {"provisioning/emulator/store"},
	"github.com/prometheus":                    {"metrics/prom"},
	"os/signal":                                {"cmd/dpsfleet"},
}

const deepest = 4 // imports from cmd down

func TestImportsRunDownward(t *testing.T) {
	imports := importsOf(t)
	for room, paths := range imports {
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s is a room that the list above does not know", room)
		}
		for _, p := range paths {
			own, ours := strings.CutPrefix(p, "dpsfleet/")
			if ours && !slices.Contains(allowed, own) && !slices.Contains(allowed, "*") {
				t.Errorf("%s may not import %s", room, own)
			}
			if !ours {
				checkStranger(t, room, p)
			}
		}
	}
	if chain := deepestChain(imports, "cmd/dpsfleet"); len(chain)-1 > deepest {
		t.Errorf("imports are %d deep, at most %d are allowed: %s", len(chain)-1, deepest, strings.Join(chain, " -> "))
	}
}

func checkStranger(t *testing.T, room, imported string) {
	t.Helper()
	if !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") && imported != "os/signal" {
		return // the standard library
	}
	for name, allowed := range strangers {
		if imported == name || strings.HasPrefix(imported, name+"/") {
			if !slices.Contains(allowed, room) {
				t.Errorf("%s may not import %s", room, imported)
			}
			return
		}
	}
	t.Errorf("%s imports %s, which no room may", room, imported)
}

// importsOf are the imports of every room, tests left out.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	imports := make(map[string][]string)
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") && len(name) > 2) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, file)
		room := path.Dir(filepath.ToSlash(relative))
		for _, spec := range parsed.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			imports[room] = append(imports[room], imported)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

func deepestChain(imports map[string][]string, room string) []string {
	var longest []string
	for _, p := range imports[room] {
		own, ours := strings.CutPrefix(p, "dpsfleet/")
		if !ours {
			continue
		}
		if chain := deepestChain(imports, own); len(chain) > len(longest) {
			longest = chain
		}
	}
	return append([]string{room}, longest...)
}
