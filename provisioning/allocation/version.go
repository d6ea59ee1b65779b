package allocation

import (
	"cmp"
	"strings"
)

// Versions is a range of versions: comparisons with blanks between them, all of
// which must hold, as ">=1.2 <2". A version is numbers with dots between them,
// compared number by number, and 1.2 is 1.2.0. What is no such version, as
// "1.2-beta", is in no range.
type Versions string

// hold reports whether a version is in the range.
func (r Versions) hold(version string) bool {
	if !isVersion(version) {
		return false
	}
	some := false
	for text := range strings.FieldsSeq(string(r)) {
		operator, bound, ok := comparison(text)
		if !ok || !holds(operator, compareVersions(version, bound)) {
			return false
		}
		some = true
	}
	return some
}

// sound reports whether the range is made as it must be.
func (r Versions) sound() bool {
	some := false
	for text := range strings.FieldsSeq(string(r)) {
		if _, _, ok := comparison(text); !ok {
			return false
		}
		some = true
	}
	return some
}

// comparison takes ">=1.2" apart; a version alone is that version.
func comparison(text string) (operator, version string, ok bool) {
	version = strings.TrimLeft(text, "<>=")
	operator = text[:len(text)-len(version)]
	switch operator {
	case "", "=", "<", "<=", ">", ">=":
		return operator, version, isVersion(version)
	}
	return "", "", false
}

func holds(operator string, compared int) bool {
	switch operator {
	case "<":
		return compared < 0
	case "<=":
		return compared <= 0
	case ">":
		return compared > 0
	case ">=":
		return compared >= 0
	}
	return compared == 0
}

func isVersion(text string) bool {
	for part := range strings.SplitSeq(text, ".") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}

func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		// Without leading zeros the longer number is the greater, however long.
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
			return c
		}
	}
	return 0
}
