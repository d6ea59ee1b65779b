package metrics

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"dpsfleet/provisioning/ndjson"
)

// Log writes boots as they end, a line of JSON each, into a file that only its
// owner can read ([ndjson.Writer]).
type Log struct {
	path    string
	runPath string
	lines   *ndjson.Writer
	json    *json.Encoder
	err     error
}

// CreateLog makes path, X.ndjson or X.ndjson.zst, and X.run.json beside it with
// what is known before the run. It overwrites nothing: a log that exists is an
// error.
func CreateLog(path string, info RunInfo) (*Log, error) {
	if err := ndjson.CheckName(path); err != nil {
		return nil, fmt.Errorf("the log %w", err)
	}
	l := &Log{path: path, runPath: runPath(path)}
	if err := cmp.Or(refuseExisting(path), refuseExisting(l.runPath)); err != nil {
		return nil, err
	}
	lines, err := ndjson.Create(path)
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	l.writeTo(lines)
	if err := writeRun(l.runPath, info); err != nil {
		lines.Close()
		os.Remove(path)
		return nil, fmt.Errorf("making the log: %w", err)
	}
	return l, nil
}

func (l *Log) writeTo(lines *ndjson.Writer) {
	l.lines, l.json = lines, json.NewEncoder(lines) // a line each, in one write
	l.json.SetEscapeHTML(false)
}

func refuseExisting(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return ndjson.Exists(path)
	}
	return nil
}

// runPath is X.run.json for X.ndjson and X.ndjson.zst.
func runPath(log string) string {
	return strings.TrimSuffix(strings.TrimSuffix(log, ".zst"), ".ndjson") + ".run.json"
}

// Path is where the log is.
func (l *Log) Path() string { return l.path }

// Err is the first failure to write, such as a full disk, as a sentence. The log
// ends there and the run goes on. Nil if all is well.
func (l *Log) Err() error { return l.err }

func (l *Log) write(b *Boot) {
	if l.err != nil {
		return
	}
	err := l.json.Encode(b)
	if err != nil && l.lines.Err() == nil {
		l.err = fmt.Errorf("the log cannot hold the boot of %q: %w", b.ID, err)
		return
	}
	l.ends(err)
}

// flush writes out what is whole.
func (l *Log) flush() {
	if l.err == nil {
		l.ends(l.lines.Flush())
	}
}

func (l *Log) ends(err error) {
	if err != nil {
		l.err = fmt.Errorf("the log ends before the run did: %w; the results are of the whole run", err)
	}
}

// Close writes out the log and, in one step, X.run.json as the report has it.
func (l *Log) Close(r Report) error {
	l.flush()
	closed := l.lines.Close()
	if l.err != nil {
		closed = nil // said already
	}
	return errors.Join(l.err, closed, writeRun(l.runPath, r.Run))
}
