package metrics

import (
	"fmt"
	"math"
	"slices"
	"time"

	"dpsfleet/device"
)

// Comparison is two runs side by side.
type Comparison struct {
	A Side `json:"a"`
	B Side `json:"b"`
	// Level is that of each row's interval. By chance alone some rows will be
	// called more than noise: one in a hundred at 0.99.
	Level float64 `json:"level"`
	Rows  []Row   `json:"rows"`
	// Notes say what makes the two hard to compare.
	Notes []string `json:"notes,omitempty"`
}

// Side is one of the two.
type Side struct {
	Log       string    `json:"log"`
	Scenario  string    `json:"scenario"`
	Seed      uint64    `json:"seed"`
	Started   time.Time `json:"started"`
	Verdict   string    `json:"verdict"`
	Due       int       `json:"due"`
	Accounted int       `json:"accounted"`
	Took      Millis    `json:"ms"`
}

// Row is one figure of both. A share is in percent and a time in milliseconds.
//
// Low and High are where the difference B - A lies, at the comparison's level.
// For a share they are Newcombe's interval from Wilson's scores (Statistics in
// Medicine 17, 1998, method 10); for a percentile the same combination (MOVER)
// of the two intervals between order statistics, which assume no distribution.
// Both take boots as independent of each other.
type Row struct {
	Fleet string  `json:"fleet,omitempty"` // empty for the whole run
	Name  string  `json:"name"`            // an outcome, unexpected, or a time as in thresholds
	Stat  string  `json:"stat"`            // share, p50, p95 or p99
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	// Real says that the difference is more than noise: 0 is not between Low and
	// High. TooFew says that there are too few boots to tell.
	Real   bool `json:"moreThanNoise"`
	TooFew bool `json:"tooFew,omitempty"`
}

// Difference is how much more B is.
func (r Row) Difference() float64 { return r.B - r.A }

const (
	level      = 0.99
	levelZ     = 2.5758293 // the normal distribution's
	maxFleets  = 20        // that are compared one by one
	resolution = 0.002     // two percentiles of 0.1 %
)

// Compare sets the run of one log against that of another.
func Compare(a, b string) (Comparison, error) {
	ca, ra, err := foldLog(a)
	if err != nil {
		return Comparison{}, err
	}
	cb, rb, err := foldLog(b)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{A: sideOf(ra), B: sideOf(rb), Level: level, Notes: differences(ra, rb)}
	c.add("", merge(ca.fleets), merge(cb.fleets))
	if len(ca.fleets) == 1 && len(cb.fleets) == 1 {
		return c, nil // the fleet is the run
	}
	for _, f := range ca.fleets[:min(len(ca.fleets), maxFleets)] {
		if other := cb.named[f.name]; other != nil {
			c.add(f.name, f, other)
		}
	}
	return c, nil
}

func sideOf(r Report) Side {
	return Side{
		Log: r.Log, Scenario: r.Run.Scenario, Seed: r.Run.Seed, Started: r.Run.Started,
		Verdict: r.Verdict(), Due: r.Due, Accounted: r.Accounted, Took: r.Took,
	}
}

// differences say what else differs than the figures.
func differences(a, b Report) (notes []string) {
	if a.Run.Scenario != b.Run.Scenario {
		notes = append(notes, "the scenarios have different names")
	} else if a.Run.Text != b.Run.Text {
		notes = append(notes, "the scenarios have one name and different texts")
	}
	if a.Run.Seed != b.Run.Seed {
		notes = append(notes, "the seeds differ: other devices, arrivals and pauses")
	}
	if a.Run.Target != b.Run.Target {
		notes = append(notes, fmt.Sprintf("the targets differ: %s; %s", a.Run.Target, b.Run.Target))
	}
	for i, r := range []Report{a, b} {
		if !r.Run.Health.Valid() {
			notes = append(notes, fmt.Sprintf("the figures of %s do not speak of its target", [2]string{"A", "B"}[i]))
		}
		notes = append(notes, r.Run.Notes...)
	}
	return notes
}

func (c *Comparison) add(fleet string, a, b *fleetFold) {
	var names []string
	for _, o := range device.Outcomes() {
		if a.outcomes[o]+b.outcomes[o] > 0 {
			names = append(names, string(o))
		}
	}
	for _, name := range append(names, counterUnexpected) {
		row := share(a.counter(name), a.ended, b.counter(name), b.ended)
		row.Fleet, row.Name, row.Stat = fleet, name, "share"
		c.Rows = append(c.Rows, row)
	}
	for m := range metricCount {
		if !m.duration() || a.dists[m].n == 0 || b.dists[m].n == 0 {
			continue
		}
		for _, p := range []float64{50, 95, 99} {
			row := percentile(&a.dists[m], &b.dists[m], p)
			row.Fleet, row.Name, row.Stat = fleet, m.String(), fmt.Sprintf("p%.0f", p)
			c.Rows = append(c.Rows, row)
		}
	}
}

// share compares two proportions.
func share(na, ofA, nb, ofB int) Row {
	if ofA == 0 || ofB == 0 {
		return Row{TooFew: true}
	}
	return settle(wilson(na, ofA), wilson(nb, ofB), 0)
}

// interval is a value and between what it lies.
type interval struct{ low, at, high float64 }

// wilson is a proportion's score interval, in percent.
func wilson(n, of int) interval {
	const zz = levelZ * levelZ
	size, p := float64(of), float64(n)/float64(of)
	middle := (p + zz/(2*size)) / (1 + zz/size)
	half := levelZ / (1 + zz/size) * math.Sqrt(p*(1-p)/size+zz/(4*size*size))
	return interval{100 * max(0, middle-half), 100 * p, 100 * min(1, middle+half)}
}

// percentile compares two percentiles of durations.
func percentile(a, b *dist, p float64) Row {
	x, okX := a.between(p)
	y, okY := b.between(p)
	row := settle(x, y, resolution*max(x.at, y.at))
	if !okX || !okY {
		return Row{A: row.A, B: row.B, TooFew: true}
	}
	return row
}

// between is a percentile in milliseconds and the order statistics around it; not
// ok if there are too few values for those.
func (d *dist) between(p float64) (i interval, ok bool) {
	n := float64(d.n)
	half := levelZ * math.Sqrt(n*p/100*(1-p/100))
	low, high := math.Floor(n*p/100-half), math.Ceil(n*p/100+half)+1
	rank := func(r float64) float64 { return float64(d.quantile(100*min(max(r, 1), n)/n)) / 1000 }
	return interval{rank(low), float64(d.quantile(p)) / 1000, rank(high)}, low >= 1 && high <= n
}

// settle combines two intervals into that of their difference.
func settle(a, b interval, least float64) Row {
	d := b.at - a.at
	row := Row{
		A: a.at, B: b.at,
		Low:  d - math.Hypot(b.at-b.low, a.high-a.at),
		High: d + math.Hypot(b.high-b.at, a.at-a.low),
	}
	row.Real = math.Abs(d) > least && (row.Low > 0 || row.High < 0)
	return row
}

// MoreThanNoise are the rows whose difference is.
func (c Comparison) MoreThanNoise() []Row {
	return slices.DeleteFunc(slices.Clone(c.Rows), func(r Row) bool { return !r.Real })
}
