package metrics

import (
	"fmt"
	"strings"
)

// CheckShare says what is wrong with a share such as ">= 99%": a comparison and
// a percentage. An empty one is none.
func CheckShare(text string) error {
	_, err := parseShare(text)
	return err
}

// parseShare reads a share as a threshold on a count of boots.
func parseShare(text string) (Threshold, error) {
	t := Threshold{kind: percentage}
	if text == "" {
		return t, nil
	}
	rest := strings.TrimLeft(text, "<>=!")
	t.op, t.limit = text[:len(text)-len(rest)], strings.TrimSpace(rest)
	var ok bool
	t.value, ok = parsePercent(t.limit)
	switch t.op {
	case "<", "<=", ">", ">=", "==", "!=":
	default:
		ok = false
	}
	if !ok {
		return Threshold{}, fmt.Errorf(`share: %.40q is not a comparison with a percentage, such as ">= 99%%"`, text)
	}
	if t.never() {
		return Threshold{}, fmt.Errorf("share: no run can meet it: nothing is %s %s", t.op, t.limit)
	}
	return t, nil
}
