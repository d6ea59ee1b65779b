package ndjson

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// MaxLine bounds a line that is read. The longest that are written are those of
// a boot with eleven calls of a webhook, both bodies and a twin.
const MaxLine = 4 << 20

// Line is a line of a file. Its text is good until the next one is asked for.
type Line struct {
	Number int // from 1
	Text   []byte
	path   string
}

// Wrap says in which line of which file err was found; nil if there is none.
func (l Line) Wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s:%d: %w", l.path, l.Number, err)
}

// Read reads a file line by line. What is wrong with a line comes as an error
// that names file and line, and reading goes on with the next; a last line that
// was cut short is one of these. An error of the file itself has no line.
func Read(path string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(Line{}, err)
			return
		}
		defer file.Close()
		if !strings.HasSuffix(path, zst) {
			lines(path, file, yield)
			return
		}
		plain, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			yield(Line{}, fmt.Errorf("%s: %w", path, err))
			return
		}
		defer plain.Close()
		lines(path, plain, yield)
	}
}

func lines(path string, r io.Reader, yield func(Line, error) bool) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		text, err := read(buffered)
		if err == io.EOF && len(text) == 0 {
			return
		}
		last := err != nil && err != errLong
		if err == io.EOF {
			err = errCut
		}
		line := Line{n, text, path}
		if !yield(line, line.Wrap(err)) || last {
			return
		}
	}
}

var (
	errLong = fmt.Errorf("the line is longer than %d MiB", MaxLine>>20)
	errCut  = errors.New("the last line is cut short: the run was killed while writing it")
)

// read reads to the next line feed. A line that is too long is skipped.
func read(r *bufio.Reader) ([]byte, error) {
	text, err := r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return text, err
	}
	long := bytes.Clone(text)
	for err == bufio.ErrBufferFull {
		text, err = r.ReadSlice('\n')
		if len(long) <= MaxLine {
			long = append(long, text...)
		}
	}
	if err == nil && len(long) > MaxLine {
		return nil, errLong
	}
	return long, err
}
