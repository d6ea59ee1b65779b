package metrics

import (
	"fmt"
	"strings"
)

func (w word) errorf(format string, args ...any) error {
	return fmt.Errorf("column %d: "+format, append([]any{w.column}, args...)...)
}

// unknown is the error for a word that is none of names.
func unknown(w word, what string, names []string) error {
	if name := near(w.text, names); name != "" {
		return w.errorf("no %s is called %q; did you mean %s?", what, w.text, name)
	}
	return w.errorf("no %s is called %q; there are %s", what, w.text, strings.Join(names, ", "))
}

// near is the name that text was meant to be, empty if none is close.
func near(text string, names []string) string {
	best, closest := "", 1+max(1, len(text)/4)
	for _, name := range names {
		if d := distance(text, name); d < closest {
			best, closest = name, d
		}
	}
	return best
}

// distance is Levenshtein's: how many characters to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
