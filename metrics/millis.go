package metrics

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Millis is a duration that the log and the reports hold in milliseconds with
// three decimals.
type Millis time.Duration

// millis cuts a duration to what Millis holds.
func millis(d time.Duration) Millis { return Millis(d.Truncate(time.Microsecond)) }

// Duration is the same as a time.Duration.
func (m Millis) Duration() time.Duration { return time.Duration(m) }

// MarshalJSON writes milliseconds with exactly three decimals.
func (m Millis) MarshalJSON() ([]byte, error) { return m.append(make([]byte, 0, 16)), nil }

func (m Millis) append(buf []byte) []byte {
	us := int64(m) / int64(time.Microsecond)
	if us < 0 {
		buf = append(buf, '-')
		us = -us
	}
	buf = strconv.AppendInt(buf, us/1000, 10)
	rest := us % 1000
	return append(buf, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

// UnmarshalJSON reads milliseconds, to the nearest microsecond.
func (m *Millis) UnmarshalJSON(text []byte) error {
	if us, ok := exactMicros(text); ok {
		*m = Millis(us * int64(time.Microsecond))
		return nil
	}
	ms, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(ms) > 1e12 {
		return fmt.Errorf("%.40q is not a number of milliseconds", text)
	}
	*m = Millis(int64(math.Round(ms*1000)) * int64(time.Microsecond))
	return nil
}

// exactMicros reads the form that append writes; a log of a million boots has
// some ten million of them.
func exactMicros(text []byte) (int64, bool) {
	point := len(text) - 4
	if point < 1 || len(text) > 16 || text[point] != '.' || bytes.IndexByte(text, '-') >= 0 {
		return 0, false
	}
	var us int64
	for i, c := range text {
		if i == point {
			continue
		}
		if c < '0' || c > '9' {
			return 0, false
		}
		us = us*10 + int64(c-'0')
	}
	return us, true
}

// String is the duration as a person says it: 6.1s, 54ms, 6m 55s.
func (m Millis) String() string {
	d := time.Duration(m)
	switch {
	case d < 0:
		return "-" + Millis(-d).String()
	case d == 0:
		return "0ms"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + "µs"
	case d < time.Second-time.Millisecond/2:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + "ms"
	case d < time.Minute-50*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Hour-time.Second/2:
		s := int(d.Round(time.Second).Seconds())
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	}
	minutes := int(d.Round(time.Minute).Minutes())
	return fmt.Sprintf("%dh %02dm", minutes/60, minutes%60)
}
