package fleet

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Shape is one stage of a fleet's arrivals. Its text is one of
//
//	burst                          all at once
//	burst 500 for 30s              500 at once, and the next stage 30 s later
//	constant 10/s                  evenly spaced
//	ramp 10/s to 100/s over 10s    a rate that grows, or falls, evenly
//	poisson 30/s                   gaps as chance makes them
//
// Rates are per s, min or h, and may have fractions. A stage that is followed
// by another ends after "for" or "over" a duration. The zero value is a burst.
type Shape struct {
	kind     kind
	from, to rate          // equal but in a ramp
	size     int           // of a burst; 0 is all that are left
	span     time.Duration // 0 is without end
}

type kind uint8

const (
	burst kind = iota
	constant
	ramp
	poisson
	kinds
)

func (k kind) String() string {
	return [kinds]string{"burst", "constant", "ramp", "poisson"}[k]
}

// rate keeps the unit that it was written with, so that its text comes back.
type rate struct {
	value float64
	unit  time.Duration
}

func (r rate) perSecond() float64 {
	if r.unit == 0 {
		return 0
	}
	return r.value / r.unit.Seconds()
}

func (r rate) String() string {
	unit := "/s"
	switch r.unit {
	case time.Minute:
		unit = "/min"
	case time.Hour:
		unit = "/h"
	}
	return strconv.FormatFloat(r.value, 'f', -1, 64) + unit
}

// String is the text of which ParseShape makes the same shape.
func (s Shape) String() string {
	text := s.kind.String()
	switch s.kind {
	case burst:
		if s.size > 0 {
			text += " " + strconv.Itoa(s.size)
		}
	case ramp:
		return text + " " + s.from.String() + " to " + s.to.String() + " over " + durationText(s.span)
	default:
		text += " " + s.from.String()
	}
	if s.span > 0 {
		text += " for " + durationText(s.span)
	}
	return text
}

// MarshalText and UnmarshalText are the shape's text.
func (s Shape) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Shape) UnmarshalText(text []byte) (err error) {
	*s, err = ParseShape(string(text))
	return err
}

// durationText is the duration without the zeros that time's adds: 1m, not 1m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (s Shape) scaled(x float64) Shape {
	s.from.value = min(s.from.value*x, math.MaxFloat64)
	s.to.value = min(s.to.value*x, math.MaxFloat64)
	s.size = scaleCount(s.size, x)
	return s
}

// endless reports whether no stage after this one begins.
func (s Shape) endless() bool {
	if s.kind == burst {
		return s.size == 0
	}
	return s.span == 0
}

func (s Shape) howToEnd() string {
	if s.kind == burst {
		return `say how many it takes, as in "burst 500"`
	}
	return `say how long it lasts, as in "` + s.String() + ` for 30s"`
}

// stops reports whether the shape, as the last, may end before all have come.
func (s Shape) stops() bool { return s.kind != burst && s.to.value == 0 }
