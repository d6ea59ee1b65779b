package metrics

import (
	"os"
	"testing"

	"dpsfleet/provisioning/ndjson"
)

// FillDisk makes each further write to the log fail as on a full disk.
func FillDisk(t *testing.T, l *Log) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.lines.Close()
	lines, err := ndjson.NewWriter(full, false)
	if err != nil {
		t.Fatal(err)
	}
	l.writeTo(lines)
}
