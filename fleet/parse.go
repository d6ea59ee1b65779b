package fleet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning/wording"
)

// The largest numbers that a shape takes. They are far beyond any machine's
// reach and keep every sum of them exact.
const (
	maxRate  = 1e9
	maxBurst = 1e9
	maxSpan  = 10 * 365 * 24 * time.Hour
)

// ParseShape reads the text of a shape. An error quotes the text and says what
// was expected where; a word that is nearly right is named.
func ParseShape(text string) (Shape, error) {
	w := &words{rest: strings.Fields(text)}
	s, err := parseShape(w)
	if err == nil && len(w.rest) > 0 {
		err = fmt.Errorf("%.40q is too much", strings.Join(w.rest, " "))
	}
	if err != nil {
		return Shape{}, fmt.Errorf("the arrival shape %.80q: %w", text, err)
	}
	return s, nil
}

// words are what is left to read.
type words struct{ rest []string }

// take gives the next word, empty at the end.
func (w *words) take() string {
	if len(w.rest) == 0 {
		return ""
	}
	word := w.rest[0]
	w.rest = w.rest[1:]
	return word
}

func parseShape(w *words) (s Shape, err error) {
	switch word := w.take(); word {
	case "burst":
		return parseBurst(w)
	case "constant":
		s.kind = constant
	case "poisson":
		s.kind = poisson
	case "ramp":
		return parseRamp(w)
	default:
		return s, unexpected(word, "burst", "constant", "ramp", "poisson")
	}
	if s.from, err = parseRate(w.take()); err != nil {
		return s, err
	}
	s.to = s.from
	s.span, err = parseSpan(w)
	return s, err
}

func parseBurst(w *words) (s Shape, err error) {
	if len(w.rest) == 0 {
		return s, nil
	}
	if size := w.rest[0]; isDigits(size) {
		w.take()
		s.size, err = strconv.Atoi(size)
		if err != nil || s.size < 1 || s.size > maxBurst {
			return s, fmt.Errorf("a burst of %.40q is not a number from 1 to %d", size, int(maxBurst))
		}
	}
	if s.span, err = parseSpan(w); err != nil {
		return s, err
	}
	if s.span > 0 && s.size == 0 {
		return s, errors.New(`a burst that takes all has no length; say how many it takes, as in "burst 500 for 30s"`)
	}
	return s, nil
}

func parseRamp(w *words) (s Shape, err error) {
	s.kind = ramp
	if s.from, err = parseRate(w.take()); err != nil {
		return s, err
	}
	if word := w.take(); word != "to" {
		return s, unexpected(word, "to")
	}
	if s.to, err = parseRate(w.take()); err != nil {
		return s, err
	}
	s.span, err = parseSpan(w)
	if err == nil && s.span == 0 {
		err = errors.New(`a ramp needs a length, as in "over 10s"`)
	}
	return s, err
}

// parseSpan reads "for" or "over" and a duration, if they are there. Both words
// are taken everywhere: people say both.
func parseSpan(w *words) (time.Duration, error) {
	word := w.take()
	if word == "" {
		return 0, nil
	}
	if word != "for" && word != "over" {
		return 0, unexpected(word, "for", "over")
	}
	text := w.take()
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxSpan {
		return 0, fmt.Errorf("%q wants a duration after it, as 30s, 1m30s or 2h; %.40q is none", word, text)
	}
	return d, nil
}

func parseRate(text string) (rate, error) {
	number, unit, _ := strings.Cut(text, "/")
	r := rate{unit: time.Second}
	switch unit {
	case "s":
	case "min":
		r.unit = time.Minute
	case "h":
		r.unit = time.Hour
	default:
		return rate{}, fmt.Errorf("%.40q is not a rate, as 10/s, 90/min or 0.5/h are", text)
	}
	whole, fraction, _ := strings.Cut(number, ".")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !isDigits(whole+fraction) || value > maxRate {
		return rate{}, fmt.Errorf("the rate %.40q is not a number from 0 to %d before its /%s", text, int(maxRate), unit)
	}
	r.value = value
	return r, nil
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// unexpected names the nearest of the words that were expected, if one is near.
func unexpected(word string, expected ...string) error {
	list := strings.Join(expected, ", ")
	if word == "" {
		return fmt.Errorf("it ends where %s is expected", list)
	}
	if meant := wording.Suggestion(word, expected); meant != "" {
		return fmt.Errorf("%.40q is unknown%s", word, meant)
	}
	return fmt.Errorf("%.40q is unknown; expected is %s", word, list)
}
