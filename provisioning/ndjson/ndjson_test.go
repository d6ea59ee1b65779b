package ndjson_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/ndjson"
)

func written(t *testing.T, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	w, err := ndjson.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if _, err := w.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// all are the lines of a file, and its errors without the folder.
func all(path string) []string {
	var out []string
	for line, err := range ndjson.Read(path) {
		if err != nil {
			out = append(out, strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(os.PathSeparator), ""))
			continue
		}
		out = append(out, strings.TrimSuffix(string(line.Text), "\n"))
	}
	return out
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	long := strings.Repeat("x", 300<<10) // more than a frame, and than a buffer
	for _, name := range []string{"x.ndjson", "x.ndjson.zst"} {
		path := written(t, name, "1", long, "3")
		if got := all(path); len(got) != 3 || got[0] != "1" || got[1] != long || got[2] != "3" {
			t.Errorf("%s: %d lines came back", name, len(got))
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if _, err := ndjson.Create(path); err == nil || !strings.Contains(err.Error(), "never overwritten") {
			t.Errorf("got %v", err)
		}
	}
}

// A line of a plain file is there at once, so that a kill does not take it, and
// those that come just after it are there a moment later.
func TestLinesAreThereAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x.ndjson")
		w, err := ndjson.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		wants := []struct {
			line  string
			after time.Duration // since the one before
			there int           // lines in the file then
		}{
			{"1", 0, 1}, {"2", 0, 1}, {"3", time.Millisecond, 1}, {"4", 10 * time.Millisecond, 4},
			{"5", time.Millisecond, 4}, {"6", time.Millisecond, 4}, {"7", time.Second, 7},
		}
		for _, want := range wants {
			time.Sleep(want.after)
			synctest.Wait()
			if _, err := w.Write([]byte(want.line + "\n")); err != nil {
				t.Fatal(err)
			}
			if got := all(path); len(got) != want.there {
				t.Errorf("after line %s the file holds %q, want %d lines", want.line, got, want.there)
			}
		}
	})
}

func TestWhatIsWrongWithALineIsNamed(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct{ text, want string }{
		"plain.ndjson":   {"1\n" + strings.Repeat("x", ndjson.MaxLine+1) + "\n3\n4", "[1 plain.ndjson:2: the line is longer than 4 MiB 3 plain.ndjson:4: the last line is cut short: the run was killed while writing it]"},
		"empty.ndjson":   {"", "[]"},
		"bad.ndjson.zst": {"no zstd at all\n", "[bad.ndjson.zst:1: invalid input: magic number mismatch]"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(all(path)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	for line, err := range ndjson.Read(filepath.Join(dir, "nowhere")) {
		if err == nil || line.Number != 0 {
			t.Errorf("line %d, %v", line.Number, err)
		}
	}
}

func TestGatheredLinesComeTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.ndjson")
	w, err := ndjson.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w.Gather = true
	for _, line := range []string{"1\n", strings.Repeat("x", 300<<10) + "\n", "3\n"} {
		if _, err := w.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if got := all(path); len(got) != 2 {
		t.Errorf("%d lines are there before the end", len(got))
	}
	if err := w.Close(); err != nil || len(all(path)) != 3 {
		t.Errorf("%v, %d lines", err, len(all(path)))
	}
}

// What does not fit on the disk any more is not there in part.
func TestFullDiskEndsTheFile(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("only Linux has a device that is always full")
	}
	w, err := ndjson.NewWriter(full, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.Write([]byte("1\n")); err == nil || w.Err() == nil {
			t.Errorf("got %v", err)
		}
	}
	if w.Close() == nil {
		t.Error("the file says that it is whole")
	}
}
