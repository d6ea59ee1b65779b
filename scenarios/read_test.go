package scenarios_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"dpsfleet/scenarios"
)

// One file a mistake, and what is said of it beside it.
func TestBadScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = scenarios.Read(name, data, nil)
			var mistakes scenarios.Mistakes
			if !errors.As(err, &mistakes) {
				t.Fatalf("got %v, want mistakes", err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", mistakes.Error()+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\n got:\n%s\nwant:\n%s", file, got, want)
	}
}

// The number that the project promises: five mistakes, five messages, each with
// line and column.
func TestFiveMistakesGetFiveMessages(t *testing.T) {
	data, err := os.ReadFile("testdata/bad/five-mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = scenarios.Read("five.yaml", data, nil)
	var mistakes scenarios.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("got %v", err)
	}
	at := map[int]bool{}
	for _, m := range mistakes {
		if m.Line == 0 || m.Column == 0 {
			t.Errorf("%s has no place", m)
		}
		at[m.Line] = true
	}
	for _, line := range []int{5, 8, 9, 10, 11, 13} {
		if !at[line] {
			t.Errorf("nothing is said of line %d:\n%v", line, mistakes)
		}
	}
}

func TestShippedScenariosAreSound(t *testing.T) {
	for _, name := range scenarios.Shipped() {
		s, err := scenarios.ReadShipped(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Name != name || s.About == "" {
			t.Errorf("%s calls itself %q and says %q", name, s.Name, s.About)
		}
	}
	if _, err := scenarios.ReadShipped("contoso-mixd"); err == nil || !strings.Contains(err.Error(), `was "contoso-mixed" meant?`) {
		t.Errorf("got %v", err)
	}
}

const withPolicy = `
name: with-policy
cloud:
  linkedHubs: [h1, h2]
  enrollmentGroups: {g: {policy: ./mine.yaml}}
fleets: {f: {model: toaster, count: 1}}
`

func TestPolicyBesideTheScenario(t *testing.T) {
	beside := fstest.MapFS{"mine.yaml": {Data: []byte("name: mine\nrules:\n- when: {registrationId: {contains: breakroom}}\n  hub: {contains: h2}\n  noHub: none\notherwise: no\n")}}
	if _, err := scenarios.Read("s.yaml", []byte(withPolicy), beside); err != nil {
		t.Errorf("with the policy beside it: %v", err)
	}
	if _, err := scenarios.Read("s.yaml", []byte(withPolicy), fstest.MapFS{}); err == nil {
		t.Error("the policy's file is not there, and nobody said so")
	}
	if _, err := scenarios.Read("s.yaml", []byte(withPolicy), nil); err == nil {
		t.Error("a scenario that has no place took a policy by its path")
	}
}

func TestMistakesOfAPolicyHaveTheirPlace(t *testing.T) {
	_, err := scenarios.ReadPolicy("mine.yaml", []byte(`name: mine
rules:
  - when: {registrationId: {contains: breakroom}}
    hub: {contains: h2, pick: middle}
  - hubb: {contains: h2}
otherwise: 3
`))
	var mistakes scenarios.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("got %v", err)
	}
	lines := map[int]bool{}
	for _, m := range mistakes {
		lines[m.Line] = true
	}
	if !lines[4] || !lines[5] || !lines[6] {
		t.Errorf("want something about lines 4, 5 and 6:\n%v", err)
	}
}

func TestPathsDoNotLeaveTheScenario(t *testing.T) {
	text := strings.ReplaceAll(withPolicy, "./mine.yaml", "../../etc/passwd")
	_, err := scenarios.Read("s.yaml", []byte(text), os.DirFS(t.TempDir()))
	if err == nil {
		t.Fatal("a path left the scenario's folder")
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range scenarios.Shipped() {
		text, err := scenarios.ShippedText(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := scenarios.Read("f.yaml", data, nil)
		if err == nil && len(s.Fleets) == 0 {
			t.Error("a scenario without fleets was taken")
		}
	})
}
