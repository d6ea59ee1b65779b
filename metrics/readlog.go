package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"dpsfleet/provisioning/ndjson"
)

// ReadLog reads a log line by line. What is wrong with a line comes as an error
// that names file and line, and reading goes on with the next; a last line that
// was cut short is one of these.
func ReadLog(path string) iter.Seq2[Boot, error] {
	return func(yield func(Boot, error) bool) {
		chunks, done := make(chan *chunk, 4), make(chan struct{})
		go func() {
			defer close(chunks)
			readChunks(path, chunks, done)
		}()
		defer func() { // not before the reader has closed the file
			close(done)
			for c := range chunks {
				<-c.ready
			}
		}()
		for c := range chunks {
			<-c.ready
			for _, e := range c.entries {
				if !yield(e.boot, e.err) {
					return
				}
			}
		}
	}
}

// chunk is some lines of a log. Decoding is most of the work of reporting one, so
// chunks are decoded beside each other and beside the folds.
type chunk struct {
	entries []entry
	size    int
	ready   chan struct{} // closed when they are decoded
}

// entry is what a line holds.
type entry struct {
	line ndjson.Line
	boot Boot
	err  error
}

const (
	chunkLines = 128
	chunkSize  = 512 << 10
)

func newChunk() *chunk {
	return &chunk{entries: make([]entry, 0, chunkLines), ready: make(chan struct{})}
}

// readChunks reads until the file ends or nobody listens.
func readChunks(path string, out chan<- *chunk, done <-chan struct{}) {
	c := newChunk()
	send := func() bool {
		select {
		case out <- c:
			go c.decode()
			c = newChunk()
			return true
		case <-done:
			return false
		}
	}
	for line, err := range ndjson.Read(path) {
		if err != nil && line.Number == 0 {
			err = fmt.Errorf("reading the log: %w", err)
		}
		line.Text = bytes.Clone(line.Text)
		c.entries = append(c.entries, entry{line: line, err: err})
		c.size += len(line.Text)
		if (len(c.entries) == chunkLines || c.size >= chunkSize) && !send() {
			return
		}
	}
	send()
}

func (c *chunk) decode() {
	defer close(c.ready)
	for i := range c.entries {
		e := &c.entries[i]
		if e.err == nil {
			e.boot, e.err = parseLine(e.line.Text)
			e.err = e.line.Wrap(e.err)
		}
		e.line.Text = nil
	}
}

func parseLine(line []byte) (Boot, error) {
	var b Boot
	err := json.Unmarshal(line, &b)
	if err == nil && (b.ID == "" || b.Outcome == "") {
		err = errors.New("it has no registrationId or no outcome")
	}
	if err != nil {
		return Boot{}, fmt.Errorf("not a boot, of which a log has one a line (run and stress write NAME.ndjson): %w", err)
	}
	return b, nil
}
