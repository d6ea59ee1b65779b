package metrics

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// dist is how a quantity was distributed: durations in microseconds, or counts.
// Quantiles are good to 0.1 %; the rest is exact. The histogram is made with the
// first value, since it is large and most fleets leave most of theirs empty.
type dist struct {
	hist     *hdrhistogram.Histogram
	n        int64
	sum      int64
	min, max int64
}

// highest is the largest value that a quantile can be; larger ones count as it.
const highest = int64(24 * time.Hour / time.Microsecond)

func (d *dist) add(v int64) {
	v = max(v, 0)
	if d.hist == nil {
		d.hist = hdrhistogram.New(1, highest, 3)
		d.min = v
	}
	d.n++
	d.sum += v
	d.min, d.max = min(d.min, v), max(d.max, v)
	_ = d.hist.RecordValue(min(v, highest)) // it refuses only what is beyond highest
}

func (d *dist) merge(other *dist) {
	if other.n == 0 {
		return
	}
	if d.hist == nil {
		d.hist = hdrhistogram.New(1, highest, 3)
		d.min = other.min
	}
	d.n += other.n
	d.sum += other.sum
	d.min, d.max = min(d.min, other.min), max(d.max, other.max)
	d.hist.Merge(other.hist)
}

// quantile is the value below which p percent of the values lie. The histogram
// answers with the top of a bucket, which may be above the largest value.
func (d *dist) quantile(p float64) int64 {
	if d.n == 0 {
		return 0
	}
	return min(max(d.hist.ValueAtPercentile(p), d.min), d.max)
}

func (d *dist) avg() float64 {
	if d.n == 0 {
		return 0
	}
	return float64(d.sum) / float64(d.n)
}

func (d *dist) times(metric string) Times {
	return Times{
		Metric: metric,
		Count:  d.n,
		Min:    micro(d.min),
		Avg:    micro(int64(d.avg())),
		P50:    micro(d.quantile(50)),
		P90:    micro(d.quantile(90)),
		P95:    micro(d.quantile(95)),
		P99:    micro(d.quantile(99)),
		Max:    micro(d.max),
	}
}
