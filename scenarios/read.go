package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dpsfleet/provisioning/allocation"
)

// ReadFile reads a scenario from a file. What it names by path, a policy or a
// CA, is looked for beside it.
func ReadFile(path string) (Scenario, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Scenario{}, fmt.Errorf("reading the scenario: %w", err)
	}
	return Read(path, data, os.DirFS(filepath.Dir(path)))
}

// Read reads a scenario that is called file in messages. Paths in it are taken
// from beside; nil is none. The error is Mistakes: all there are, at once.
func Read(file string, data []byte, beside fs.FS) (Scenario, error) {
	doc, err := readYAML(file, data)
	if err != nil {
		return Scenario{}, err
	}
	flaws, err := validate(doc)
	if err != nil {
		return Scenario{}, fmt.Errorf("%s: %w", file, err)
	}
	var mistakes Mistakes
	for _, f := range flaws {
		if f.atName {
			mistakes = append(mistakes, doc.mistakeAtKey(f.pointer, f.text))
			continue
		}
		mistakes = append(mistakes, doc.mistake(f.pointer, f.text))
	}
	// What is left without the flaws is checked too, so that all is said at once.
	s, err := decode(doc, flaws)
	if err != nil && len(mistakes) == 0 {
		return Scenario{}, fmt.Errorf("%s: %w", file, err)
	}
	if err == nil {
		c := &checker{doc: doc, s: &s, beside: beside}
		c.check(len(flaws) == 0)
		mistakes = append(mistakes, c.mistakes...)
	}
	if len(mistakes) > 0 {
		return Scenario{}, mistakes.sorted()
	}
	s.text = data
	return s, nil
}

// decode makes the scenario, leaving out the values at the flaws.
func decode(doc *document, flaws []flaw) (s Scenario, err error) {
	data := doc.json
	if len(flaws) > 0 {
		if data, err = prune(data, flaws); err != nil {
			return s, err
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&s); err != nil {
		return s, fmt.Errorf("reading the scenario: %w", err)
	}
	return s, nil
}

// prune takes the values at the flaws out. The order of names is lost, which
// only the report of a run needs.
func prune(data []byte, flaws []flaw) ([]byte, error) {
	var root any
	if err := json.Unmarshal(data, &root); err != nil {
		return nil, err
	}
	for _, f := range flaws {
		if f.pointer != "" { // what the whole lacks spoils nothing that it has
			root = without(root, strings.Split(f.pointer, "/")[1:])
		}
	}
	return json.Marshal(root)
}

func without(value any, path []string) any {
	if len(path) == 0 {
		return nil
	}
	name := unescapePointer.Replace(path[0])
	switch v := value.(type) {
	case map[string]any:
		if child, ok := v[name]; ok {
			v[name] = without(child, path[1:])
			if v[name] == nil {
				delete(v, name)
			}
		}
	case []any:
		return nil // an item that is missing would move the others
	}
	return value
}

// loadPolicy finds a policy by the name of a shipped one or by its path.
func loadPolicy(name string, beside fs.FS) (allocation.Policy, error) {
	if !strings.ContainsAny(name, "/.") {
		return allocation.Shipped(name)
	}
	if beside == nil {
		return allocation.Policy{}, errors.New("a policy cannot be named by a path here")
	}
	data, err := fs.ReadFile(beside, filepath.ToSlash(filepath.Clean(name)))
	if err != nil {
		return allocation.Policy{}, fmt.Errorf("the policy's file cannot be read: %w", err)
	}
	return ReadPolicy(name, data)
}

// ReadPolicy reads an allocation policy from YAML or JSON. The error is
// Mistakes.
func ReadPolicy(file string, data []byte) (allocation.Policy, error) {
	doc, err := readYAML(file, data)
	if err != nil {
		return allocation.Policy{}, err
	}
	policy, err := allocation.ParsePolicy(doc.json)
	if err != nil {
		return allocation.Policy{}, doc.policyMistakes(err)
	}
	return policy, nil
}

// policyMistakes says where in the file the mistakes of a policy are.
func (d *document) policyMistakes(err error) error {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var mistakes Mistakes
	for _, one := range all {
		var m *allocation.Mistake
		if !errors.As(one, &m) {
			return fmt.Errorf("%s: %w", d.file, err)
		}
		mistakes = append(mistakes, d.mistake(m.Pointer, m.Text))
	}
	return mistakes.sorted()
}
