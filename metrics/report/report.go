// Package report tells a [metrics.Report] to people and programs: as text for a
// terminal and as JSON; one boot's story on a page; and where a run stands on
// one line.
//
// It knows how to say things and nothing of how they came about: it computes no
// figure, judges no threshold and reads no log. Names and messages in a report
// come from the wire, so whatever is not printable is escaped here.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dpsfleet/metrics"
	"dpsfleet/provisioning/wording"
)

// Options say how a terminal shows text. The zero value is plain text of any
// width.
type Options struct {
	Color bool
	Width int // columns; 0 is unlimited
}

// JSON writes the report for a program, indented. The error is w's.
func JSON(w io.Writer, r metrics.Report) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// page gathers what is then written at once, so that a closed pipe is one error.
type page struct {
	strings.Builder
	opts Options
}

func (p *page) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p *page) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, p.String())
	return err
}

const (
	bold  = "1"
	red   = "31"
	green = "32"
	faint = "2"
)

func (p *page) paint(style, text string) string {
	if !p.opts.Color {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (p *page) mark(ok bool) string {
	if ok {
		return p.paint(green, "✓")
	}
	return p.paint(red, "✗")
}

// clean is text from the wire as it may be shown.
func clean(text string) string { return wording.Printable(text) }

// thousands is n with separators.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
