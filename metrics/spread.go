package metrics

import (
	"math"
	"time"
)

// spread is a small distribution of durations, one for each slot of time: 3 KB
// where a dist has some hundred. Each bin is 2 % wider than the one before.
type spread struct {
	bins     []uint32
	n        int
	min, max Millis
}

const (
	spreadBins  = 780 // from 1 ms to over an hour
	spreadRatio = 1.02
)

func (s *spread) add(v Millis) {
	if s.bins == nil {
		s.bins = make([]uint32, spreadBins)
		s.min = v
	}
	s.n++
	s.min, s.max = min(s.min, v), max(s.max, v)
	ms := float64(v) / float64(time.Millisecond)
	bin := int(math.Log(max(ms, 1)) / math.Log(spreadRatio))
	s.bins[min(bin, spreadBins-1)]++
}

func (s *spread) merge(other *spread) {
	if other.n == 0 {
		return
	}
	if s.n == 0 {
		*s = *other
		return
	}
	s.n += other.n
	s.min, s.max = min(s.min, other.min), max(s.max, other.max)
	for i, n := range other.bins {
		s.bins[i] += n
	}
}

// quantile is the middle of the bin that it lies in.
func (s *spread) quantile(p float64) Millis {
	rank := int(math.Ceil(p / 100 * float64(s.n)))
	for i, n := range s.bins {
		if rank -= int(n); rank <= 0 {
			middle := math.Pow(spreadRatio, float64(i)+0.5) * float64(time.Millisecond)
			return min(max(millis(time.Duration(middle)), s.min), s.max)
		}
	}
	return s.max
}

const maxBars = 40

// bars cuts a distribution into equal parts; where its largest value is far from
// its smallest, into parts of equal ratio.
func (d *dist) bars() []Bar {
	if d.n == 0 || d.max == d.min {
		return d.one()
	}
	low, high := float64(max(d.min, 1)), float64(min(d.max, highest))
	edge := func(i int) float64 { return low + (high-low)*float64(i)/maxBars }
	if high > 20*low {
		edge = func(i int) float64 { return low * math.Pow(high/low, float64(i)/maxBars) }
	}
	bars := make([]Bar, maxBars)
	for i := range bars {
		bars[i].From, bars[i].To = micro(int64(edge(i))), micro(int64(edge(i+1)))
	}
	i := 0
	for _, bar := range d.hist.Distribution() {
		middle := float64(bar.From+bar.To) / 2
		for i < maxBars-1 && middle >= edge(i+1) {
			i++
		}
		bars[i].Count += int(bar.Count)
	}
	return bars
}

// one is a distribution of one value.
func (d *dist) one() []Bar {
	if d.n == 0 {
		return nil
	}
	return []Bar{{From: micro(d.min), To: micro(d.max), Count: int(d.n)}}
}
