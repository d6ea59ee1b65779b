package allocation

import (
	"os"
	"testing"

	"dpsfleet/provisioning/ndjson"
)

// FillDisk makes each further write to a recording fail as on a full disk.
func FillDisk(t *testing.T, r *Recording) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.lines.Close()
	if r.lines, err = ndjson.NewWriter(full, false); err != nil {
		t.Fatal(err)
	}
}
