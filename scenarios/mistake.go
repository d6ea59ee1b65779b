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

// nearest is the candidate that word was probably meant to be, empty if none is
// close.
func nearest(word string, candidates []string) string {
	best, found := len(word)/3+1, ""
	for _, candidate := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(candidate)); d <= best && d < len(candidate) {
			best, found = d-1, candidate
		}
	}
	return found
}

// distance counts the letters to put in, take out, change or swap with their
// neighbour.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
