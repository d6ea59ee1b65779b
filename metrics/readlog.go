package metrics

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxLine bounds a line of a log: eleven calls of a webhook with both bodies,
// and a twin.
const maxLine = 4 << 20

// ReadLog reads a log line by line. What is wrong with a line comes as an error
// that names file and line, and reading goes on with the next; a last line that
// was cut short is one of these.
func ReadLog(path string) iter.Seq2[Boot, error] {
	return func(yield func(Boot, error) bool) {
		batches, done := make(chan []entry, 4), make(chan struct{})
		go func() {
			defer close(batches)
			b := batch{out: batches, done: done}
			readFile(path, b.add)
			b.send()
		}()
		defer func() { // not before the reader has closed the file
			close(done)
			for range batches {
			}
		}()
		for entries := range batches {
			for _, e := range entries {
				if !yield(e.boot, e.err) {
					return
				}
			}
		}
	}
}

// entry is what a line of a log holds.
type entry struct {
	boot Boot
	err  error
}

// batch hands entries on, some at a time. Decoding is most of the work of
// reporting a log, so it runs beside the folds.
type batch struct {
	entries []entry
	out     chan<- []entry
	done    <-chan struct{}
}

// add reports whether anybody still listens.
func (b *batch) add(boot Boot, err error) bool {
	if b.entries = append(b.entries, entry{boot, err}); len(b.entries) < 128 {
		return true
	}
	return b.send()
}

func (b *batch) send() bool {
	select {
	case b.out <- b.entries:
		b.entries = nil
		return true
	case <-b.done:
		return false
	}
}

func readFile(path string, yield func(Boot, error) bool) {
	file, err := os.Open(path)
	if err != nil {
		yield(Boot{}, fmt.Errorf("reading the log: %w", err))
		return
	}
	defer file.Close()
	if !strings.HasSuffix(path, ".zst") {
		readLines(path, file, yield)
		return
	}
	plain, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		yield(Boot{}, fmt.Errorf("reading the log %s: %w", path, err))
		return
	}
	defer plain.Close()
	readLines(path, plain, yield)
}

func readLines(path string, r io.Reader, yield func(Boot, error) bool) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(lines)
		if err == io.EOF && len(line) == 0 {
			return
		}
		boot, lineErr := parseLine(line, err)
		if lineErr != nil {
			lineErr = fmt.Errorf("%s:%d: %w", path, n, lineErr)
		}
		if !yield(boot, lineErr) || err != nil && err != errLongLine {
			return
		}
	}
}

var errLongLine = fmt.Errorf("the line is longer than %d MiB", maxLine>>20)

// readLine reads to the next line feed. A line that is too long is skipped.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	long := bytes.Clone(line)
	for err == bufio.ErrBufferFull {
		line, err = r.ReadSlice('\n')
		if len(long) <= maxLine {
			long = append(long, line...)
		}
	}
	if err == nil && len(long) > maxLine {
		return nil, errLongLine
	}
	return long, err
}

func parseLine(line []byte, err error) (Boot, error) {
	switch {
	case err == io.EOF:
		return Boot{}, errors.New("the last line is cut short: the run was killed while writing it")
	case err != nil:
		return Boot{}, err
	}
	var b Boot
	if err := json.Unmarshal(line, &b); err != nil {
		return Boot{}, fmt.Errorf("not a boot: %w", err)
	}
	if b.ID == "" || b.Outcome == "" {
		return Boot{}, errors.New("not a boot: it has no registrationId or no outcome")
	}
	return b, nil
}
