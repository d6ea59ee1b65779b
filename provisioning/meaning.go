package provisioning

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Meaning is what JSON says, for [SameMeaning]: numbers are kept as they are
// written. Nil, as of null, if it is no JSON.
func Meaning(raw []byte) any {
	numbers := json.NewDecoder(bytes.NewReader(raw))
	numbers.UseNumber()
	var v any
	if numbers.Decode(&v) != nil {
		return nil
	}
	return v
}

// SameMeaning reports whether two values say the same: the order of members does
// not count, and numbers count by their value.
func SameMeaning(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || PlainNumber(a) == PlainNumber(b))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, SameMeaning)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, SameMeaning)
	}
	switch b.(type) {
	case []any, map[string]any: // not comparable, and a is neither
		return false
	}
	return a == b
}

// PlainNumber is a number in one way of writing: 1 and 1.0 are alike in it. What
// hostile digits cost is bounded: a number that is too long, too large or too
// small to be read to 128 bits is what it was.
func PlainNumber(n json.Number) string {
	const longest = 400 // reading takes the square of it
	text := n.String()
	if len(text) > longest {
		return text
	}
	x, _, err := big.ParseFloat(text, 10, 128, big.ToNearestEven)
	switch {
	case err != nil || x.IsInf():
		return text
	case x.Sign() != 0:
		return x.Text('p', 0)
	}
	digits, _, _ := strings.Cut(strings.ToLower(text), "e")
	if strings.ContainsAny(digits, "123456789") {
		return text
	}
	return "0"
}
