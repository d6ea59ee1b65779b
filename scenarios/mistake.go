package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong with a scenario file.
type Mistake struct {
	File         string
	Line, Column int // from 1; 0 where the file has no place for it
	// Path is where in the scenario, as fleets.toasters.count; empty at the top.
	Path string
	Text string
}

// String is the mistake as compilers write theirs.
func (m Mistake) String() string {
	place := m.File
	if m.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
	}
	if m.Path == "" {
		return place + ": " + m.Text
	}
	return place + ": " + m.Path + ": " + m.Text
}

// Mistakes are all that is wrong with a scenario, in the order of the file.
type Mistakes []Mistake

// Error is a line for each.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ms)
}
