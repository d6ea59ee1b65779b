package emulator

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Answers is how long the service takes.
type Answers struct {
	// Register is the time to the answer of a registration.
	Register Span `json:"register"`
	// Allocate is the least time from a registration to its verdict; a webhook
	// that takes longer is waited for.
	Allocate Span `json:"allocate"`
	// RetryAfter is what a device is told to wait, cut to whole seconds.
	RetryAfter Span `json:"retryAfter"`
}

// Realistic is the pace of the live service: with a poll every 3 s a device sees
// assigning twice, as in the tutorial.
func Realistic() Answers {
	return Answers{
		Register:   Exactly(50 * time.Millisecond),
		Allocate:   Span{3200 * time.Millisecond, 5500 * time.Millisecond},
		RetryAfter: Exactly(3 * time.Second),
	}
}

// Fast answers at once and lets devices poll at once.
func Fast() Answers { return Answers{} }

// Span is a duration, or a range of them to draw from.
type Span struct{ Min, Max time.Duration }

// Exactly is a span of one duration.
func Exactly(d time.Duration) Span { return Span{d, d} }

// String is the span as a scenario has it: 50ms, or 3.2s..5.5s.
func (s Span) String() string {
	if s.Min == s.Max {
		return s.Min.String()
	}
	return s.Min.String() + ".." + s.Max.String()
}

// ParseSpan reads what String writes.
func ParseSpan(text string) (Span, error) {
	low, high, isRange := strings.Cut(text, "..")
	if !isRange {
		high = low
	}
	minimum, err := time.ParseDuration(strings.TrimSpace(low))
	longest, err2 := time.ParseDuration(strings.TrimSpace(high))
	if errors.Join(err, err2) != nil || minimum < 0 || longest < minimum {
		return Span{}, fmt.Errorf("%q is neither a duration like 50ms nor a range like 3.2s..5.5s", text)
	}
	return Span{minimum, longest}, nil
}

// MarshalText and UnmarshalText are String and ParseSpan.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Span) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSpan(string(text))
	return err
}

// at is the duration at a fraction of the span, from 0 to 1.
func (s Span) at(fraction float64) time.Duration {
	return s.Min + time.Duration(fraction*float64(s.Max-s.Min))
}
