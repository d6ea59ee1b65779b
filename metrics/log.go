package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Log writes boots as they end, a line of JSON each, into a file that only its
// owner can read. A line reaches the file in one write and at once, so that
// whatever kills the program, each line there is whole. In a .zst, lines reach
// it some hundreds at a time, as a frame of their own; frames follow one
// another in a zstd file as lines do in a text.
type Log struct {
	path    string
	runPath string
	file    *os.File
	size    int64 // of the file up to its last whole line
	buf     bytes.Buffer
	json    *json.Encoder
	zstd    *zstd.Encoder // nil for a plain log
	frame   []byte
	err     error
}

// frameSize is how much text a frame holds: enough to compress well, and not
// more than a run can lose to a kill.
const frameSize = 256 << 10

// CreateLog makes path, X.ndjson or X.ndjson.zst, and X.run.json beside it with
// what is known before the run. It overwrites nothing: a log that exists is an
// error.
func CreateLog(path string, info RunInfo) (*Log, error) {
	if !strings.HasSuffix(strings.TrimSuffix(path, ".zst"), ".ndjson") {
		return nil, fmt.Errorf("the log %s must be called something.ndjson or something.ndjson.zst", path)
	}
	l := &Log{path: path, runPath: runPath(path)}
	if err := refuseExisting(l.runPath); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, existsError(path)
	}
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	l.file = file
	l.json = json.NewEncoder(&l.buf)
	l.json.SetEscapeHTML(false)
	if strings.HasSuffix(path, ".zst") {
		l.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	}
	if err = errors.Join(err, writeRun(l.runPath, info)); err != nil {
		file.Close()
		os.Remove(path)
		return nil, fmt.Errorf("making the log: %w", err)
	}
	return l, nil
}

func refuseExisting(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return existsError(path)
	}
	return nil
}

func existsError(path string) error {
	return fmt.Errorf("%s exists already; logs are never overwritten: name another, or move it away", path)
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
	if err := l.json.Encode(b); err != nil { // a whole line, with its end
		l.err = fmt.Errorf("the log cannot hold the boot of %q: %w", b.ID, err)
		return
	}
	if l.zstd == nil || l.buf.Len() >= frameSize {
		l.flush()
	}
}

// flush writes out whole lines. What a full disk took of the last one is cut off
// again.
func (l *Log) flush() {
	if l.err != nil || l.buf.Len() == 0 {
		return
	}
	data := l.buf.Bytes()
	if l.zstd != nil {
		l.frame = l.zstd.EncodeAll(data, l.frame[:0])
		data = l.frame
	}
	n, err := l.file.Write(data)
	l.buf.Reset()
	if err == nil {
		l.size += int64(n)
		return
	}
	l.err = fmt.Errorf("the log ends before the run did: %w; the results below are of the whole run", err)
	if n > 0 {
		l.err = errors.Join(l.err, l.file.Truncate(l.size))
	}
}

// Close writes out the log and, in one step, X.run.json as the report has it.
func (l *Log) Close(r Report) error {
	l.flush()
	closed := l.file.Close()
	if l.zstd != nil {
		l.zstd.Close()
	}
	return errors.Join(l.err, closed, writeRun(l.runPath, r.Run))
}
