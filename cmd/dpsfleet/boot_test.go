package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

// What the tutorial prints for its two devices, but for the prompt for the enter
// key, and what the C sample prints for one that is refused (its source; the
// tutorial has no transcript of that).
func TestBootPrintsTheTutorialsTranscripts(t *testing.T) {
	tests := []struct {
		transcript, id string
		code           int
	}{
		{"toaster", "breakroom499-contoso-tstrsd-007", 0},
		{"heatpump", "mainbuilding167-contoso-hpsd-088", 0},
		{"stranger", "doorbell1", 3},
	}
	for _, test := range tests {
		t.Run(test.transcript, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out, problems bytes.Buffer
				args := []string{"boot", "--network", "memory", "--registration-id", test.id}
				if code := run(t.Context(), args, nil, &out, &problems); code != test.code {
					t.Errorf("exit code %d, want %d: %s", code, test.code, problems.String())
				}
				want, err := os.ReadFile("testdata/transcripts/" + test.transcript + ".txt")
				if err != nil {
					t.Fatal(err)
				}
				if got := sampleLines(out.String()); got != string(want) {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
				if !strings.Contains(out.String(), "    function | ") {
					t.Error("the function's log is not beside it")
				}
			})
		})
	}
}

var made = regexp.MustCompile(`OperationId: \S+ - Date: \S+`)

// sampleLines are the lines that the C sample prints too, without what differs
// from run to run.
func sampleLines(out string) string {
	var kept strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "    function | ") && !strings.HasPrefix(line, "Initial twin, desired: ") {
			kept.WriteString(made.ReplaceAllString(line, "OperationId: ID - Date: DATE"))
		}
	}
	return kept.String()
}
