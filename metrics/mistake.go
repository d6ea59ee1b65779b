package metrics

import (
	"fmt"
	"strings"

	"dpsfleet/provisioning/wording"
)

func (w word) errorf(format string, args ...any) error {
	return fmt.Errorf("column %d: "+format, append([]any{w.column}, args...)...)
}

// unknown is the error for a word that is none of names.
func unknown(w word, what string, names []string) error {
	if meant := wording.Suggestion(w.text, names); meant != "" {
		return w.errorf("no %s is called %q%s", what, w.text, meant)
	}
	return w.errorf("no %s is called %q; there are %s", what, w.text, strings.Join(names, ", "))
}
