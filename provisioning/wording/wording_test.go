package wording_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"dpsfleet/provisioning/wording"
)

func TestTheWordThatWasMeantIsNamed(t *testing.T) {
	words := []string{"burst", "constant", "ramp", "poisson", "S1", "toaster", "time_to_assigned", "azure-default", "azure-storm"}
	for typed, want := range map[string]string{
		"busrt":                         "burst", // two letters swapped are one slip
		"const":                         "constant",
		"Poison":                        "poisson",
		"S4":                            "S1",
		"toster":                        "toaster",
		"time_to_asigned":               "time_to_assigned",
		"doorbell":                      "",
		"azure":                         "", // it begins two
		"azure-d":                       "azure-default",
		"ra":                            "",
		"":                              "",
		"x":                             "",
		"TOASTER":                       "toaster",
		"to":                            "",
		strings.Repeat("toaster", 1000): "",
	} {
		if got := wording.Meant(typed, words); got != want {
			t.Errorf("%.40q: %q was meant, want %q", typed, got, want)
		}
	}
	if got := wording.Suggestion("toster", words); got != `; was "toaster" meant?` {
		t.Error(got)
	}
	if got := wording.Suggestion("doorbell", words); got != "" {
		t.Error(got)
	}
}

func TestTextFromOutsideCannotWorkATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünïcode and 中文": "plain, ünïcode and 中文",
		"\x1b[2Jgone":           `\x1b[2Jgone`,
		"two\nlines\tand a tab": `two\nlines\tand a tab`,
		"\u202etxt.exe":         `\u202etxt.exe`,
		"no\u200bwidth":         `no\u200bwidth`,
		"bad\xff\xfe":           `bad\xff\xfe`,
		"\u009b31m":             `\u009b31m`,
	} {
		if got := wording.Printable(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := wording.PrintableLines("one\x07\ntwo"); got != "one\\a\ntwo" {
		t.Errorf("%q", got)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b]0;title\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := wording.Printable(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is shown as %q", text, got)
		}
		if again := wording.Printable(got); again != got {
			t.Errorf("%q is shown as %q once and as %q twice", text, got, again)
		}
	})
}
