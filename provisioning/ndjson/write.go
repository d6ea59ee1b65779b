package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Writer writes lines. Only whole lines reach the file, so that whatever kills
// the program, each line there is whole. A line that comes alone is there at once,
// and those that come within a few milliseconds of it share a write, which costs
// more than they do. In a .zst, lines reach it some hundreds at a time, as a frame
// of their own; frames follow one another in a zstd file as lines do in a text.
//
// After a failure, such as a full disk, it writes nothing more.
type Writer struct {
	// Gather makes lines wait for some hundreds of others in a plain file, too: a
	// kill may take those.
	Gather bool

	// mu guards what follows: lines that wait are written by a timer.
	mu      sync.Mutex
	wrote   time.Time // when the last write ended
	later   *time.Timer
	waiting bool // for later
	file    *os.File
	size    int64         // of the file up to its last whole line
	zstd    *zstd.Encoder // nil for a plain file
	buf     bytes.Buffer  // lines that wait for others
	frame   []byte
	err     error
}

// frameSize is how much text a frame holds: enough to compress well, and not
// more than a run can lose to a kill.
const frameSize = 256 << 10

// together is how long a line may wait for others after one was written.
const together = 5 * time.Millisecond

// CheckName says how a file of lines is to be called, unless path is.
func CheckName(path string) error {
	if !strings.HasSuffix(strings.TrimSuffix(path, zst), ".ndjson") {
		return fmt.Errorf("%s must be called something.ndjson or something.ndjson.zst", path)
	}
	return nil
}

// Create makes the file path, which must not exist.
func Create(path string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, Exists(path)
	}
	if err != nil {
		return nil, err
	}
	w, err := NewWriter(file, strings.HasSuffix(path, zst))
	if err != nil {
		file.Close()
		os.Remove(path)
	}
	return w, err
}

const zst = ".zst"

// Exists is the error for a file that is there already, an fs.ErrExist.
func Exists(path string) error { return existsError(path) }

type existsError string

func (e existsError) Error() string {
	return string(e) + " exists already; it is never overwritten: name another, or move it away"
}

func (e existsError) Unwrap() error { return fs.ErrExist }

// NewWriter writes to a file that is open, and empty.
func NewWriter(file *os.File, compressed bool) (*Writer, error) {
	w := &Writer{file: file}
	if !compressed {
		return w, nil
	}
	var err error
	w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	return w, err
}

// Write takes whole lines, as a json.Encoder writes them.
func (w *Writer) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	w.buf.Write(lines)
	if w.buf.Len() >= frameSize || w.alone() {
		w.flush()
	}
	return len(lines), w.err
}

// alone reports whether what was buffered may go to the file at once. If it may
// not yet, the timer sees to it.
func (w *Writer) alone() bool {
	if w.zstd != nil || w.Gather {
		return false
	}
	if time.Since(w.wrote) >= together {
		return true
	}
	switch {
	case w.later == nil:
		w.later = time.AfterFunc(together, func() { w.Flush() })
	case !w.waiting:
		w.later.Reset(together)
	}
	w.waiting = true
	return false
}

// Err is the first failure to write; nil if all is well.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Flush writes out the lines that wait for others.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
	return w.err
}

func (w *Writer) flush() {
	w.waiting = false
	if w.err != nil || w.buf.Len() == 0 {
		return
	}
	data := w.buf.Bytes()
	if w.zstd != nil {
		w.frame = w.zstd.EncodeAll(data, w.frame[:0])
		data = w.frame
	}
	w.put(data)
	w.buf.Reset()
	w.wrote = time.Now()
}

// put writes what is whole. What a full disk took of it is cut off again.
func (w *Writer) put(data []byte) {
	n, err := w.file.Write(data)
	if err == nil {
		w.size += int64(n)
		return
	}
	w.err = err
	if n > 0 {
		w.err = errors.Join(w.err, w.file.Truncate(w.size))
	}
}

// Close flushes and closes the file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
	if w.later != nil {
		w.later.Stop()
	}
	if w.zstd != nil {
		w.zstd.Close()
	}
	return errors.Join(w.err, w.file.Close())
}
