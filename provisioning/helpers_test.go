package provisioning_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"dpsfleet/provisioning"
)

// The files in testdata hold what Microsoft's documents print and its SDKs and
// its service send. No flag rewrites them: they are not ours to change.

// body reads one body of the wire.
func body(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "bodies", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// vectors reads a table of testdata into into.
func vectors(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func mustKey(t testing.TB, text string) provisioning.Key {
	t.Helper()
	key, err := provisioning.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
