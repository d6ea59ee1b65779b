package wording

import (
	"fmt"
	"strings"
)

// longest is the longest word that is looked at. What is longer is no slip of a
// finger, and the time that a comparison takes grows with its square.
const longest = 128

// Meant is the candidate that a word was probably meant to be, whatever its case:
// the one with the fewest letters mistyped, or the only one that it begins. It is
// empty where none is close.
func Meant(word string, candidates []string) string {
	if len(word) > longest {
		return ""
	}
	word = strings.ToLower(word)
	best, found := len(word)/3+1, ""
	var begun []string
	for _, candidate := range candidates {
		if len(candidate) > longest {
			continue
		}
		lower := strings.ToLower(candidate)
		if d := distance(word, lower); d <= best && d < len(candidate) {
			best, found = d-1, candidate
		}
		if len(word) > 2 && strings.HasPrefix(lower, word) {
			begun = append(begun, candidate)
		}
	}
	if found == "" && len(begun) == 1 {
		return begun[0]
	}
	return found
}

// Suggestion is what an error adds on the word that was meant, empty where none
// is close.
func Suggestion(word string, candidates []string) string {
	if meant := Meant(word, candidates); meant != "" {
		return fmt.Sprintf("; was %q meant?", meant)
	}
	return ""
}

// distance counts the letters to put in, take out, change or swap with their
// neighbour (Damerau's and Levenshtein's, each place changed once).
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
