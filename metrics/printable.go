package metrics

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is text from the wire with whatever could steer a terminal or fool a
// reader escaped: control characters, and those that turn the direction of text
// around.
func Printable(text string) string {
	if !strings.ContainsFunc(text, unprintable) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
