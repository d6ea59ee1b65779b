package report

import (
	"math"
	"strconv"
	"strings"
	"time"

	"dpsfleet/metrics"
)

// A chart is drawn into a box of this size; the page scales it.
const (
	chartWidth, chartHeight = 420, 220
	plotLeft, plotRight     = 46, 412
	plotTop, plotBottom     = 10, 192
)

// chart is a picture with axes, ready for the template.
type chart struct {
	ID, Title string
	Desc      string // what there is to see, for who does not see it
	Shapes    []shape
	Bars      []bar
	X, Y      []tick
	Marks     []tick // vertical lines with a word
	Legend    []legend
}

// shape is a line or, if it is filled, an area.
type shape struct {
	Class  string
	Filled bool
	Path   string
}

type bar struct{ X, Y, Width, Height, Title, Class string }

// Left says that there is no room for the label to the left of a mark.
type tick struct {
	At, Label string
	Left      bool
}

type legend struct{ Class, Name string }

// axes turn values into places of the plot.
type axes struct{ x0, x1, y1 float64 }

func (a axes) x(v float64) float64 {
	return plotLeft + (v-a.x0)/(a.x1-a.x0)*(plotRight-plotLeft)
}

func (a axes) y(v float64) float64 { return plotBottom - v/a.y1*(plotBottom-plotTop) }

// timeAxes are axes over the time of a run, up to the value high.
func timeAxes(points []metrics.Point, width metrics.Millis, high float64) axes {
	end := points[len(points)-1].At + width
	return axes{x1: seconds(end), y1: max(high*1.05, 1e-9)}
}

func (c *chart) overTime(a axes, unit func(float64) string) {
	c.X = a.xTicks(func(v float64) string { return short(v) })
	c.yTicks(a, unit)
}

func (a axes) xTicks(label func(float64) string) (ticks []tick) {
	step := niceStep((a.x1 - a.x0) / 5)
	for i := math.Ceil(a.x0 / step); i*step <= a.x1*1.0001; i++ {
		ticks = append(ticks, tick{At: place(a.x(i * step)), Label: label(i * step)})
	}
	return ticks
}

func (c *chart) yTicks(a axes, unit func(float64) string) {
	step := niceStep(a.y1 / 4)
	for i := 0.0; i*step <= a.y1; i++ {
		c.Y = append(c.Y, tick{At: place(a.y(i * step)), Label: unit(i * step)})
	}
}

// niceStep is 1, 2 or 5 times a power of ten, not below least.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= least*0.999 {
			return n * power
		}
	}
	return 10 * power
}

// line goes through values, one at the middle of each point. A few that are
// missing it passes over; where more are, it is broken, and a value that is alone
// is a dot.
func (c *chart) line(class string, a axes, points []series) {
	var d strings.Builder
	last, run := -len(points), 0
	for i, p := range points {
		if math.IsNaN(p.y) {
			continue
		}
		at := place(a.x(p.x)) + "," + place(a.y(p.y))
		if i-last > len(points)/15+1 {
			d.WriteString("M" + at)
			run = 0
		} else {
			d.WriteString("L" + at)
		}
		if run++; run == 1 && alone(points, i) {
			d.WriteString("m-1,0a1,1 0 1 0 2,0a1,1 0 1 0 -2,0")
		}
		last = i
	}
	c.Shapes = append(c.Shapes, shape{Class: class, Path: d.String()})
}

// alone reports whether a line will not go on from the value at i.
func alone(points []series, i int) bool {
	for _, p := range points[i+1 : min(len(points), i+len(points)/15+2)] {
		if !math.IsNaN(p.y) {
			return false
		}
	}
	return true
}

type series struct{ x, y float64 }

// area is what lies between two lines over the same places.
func (c *chart) area(class string, a axes, low, high []series) {
	var d strings.Builder
	for i, p := range high {
		d.WriteString([]string{"M", "L"}[min(i, 1)] + place(a.x(p.x)) + "," + place(a.y(p.y)))
	}
	for i := len(low) - 1; i >= 0; i-- {
		d.WriteString("L" + place(a.x(low[i].x)) + "," + place(a.y(low[i].y)))
	}
	c.Shapes = append(c.Shapes, shape{Class: class, Filled: true, Path: d.String() + "Z"})
}

// layer is one part of a stack.
type layer struct {
	class, name string
	of          func(metrics.Point) float64
}

// stack draws layers on one another and names those that there are.
func (c *chart) stack(points []metrics.Point, width metrics.Millis, layers []layer, unit func(float64) string) {
	low := make([]series, len(points))
	stacks := make([][]series, len(layers))
	top := 0.0
	for i, p := range points {
		low[i] = series{seconds(p.At + width/2), 0}
		sum := 0.0
		for n, l := range layers {
			sum += max(0, l.of(p))
			stacks[n] = append(stacks[n], series{low[i].x, sum})
		}
		top = max(top, sum)
	}
	a := timeAxes(points, width, top)
	c.overTime(a, unit)
	for n, high := range stacks {
		if differs(low, high) {
			c.area(layers[n].class, a, low, high)
			c.Legend = append(c.Legend, legend{layers[n].class, layers[n].name})
		}
		low = high
	}
}

func differs(a, b []series) bool {
	for i := range a {
		if a[i].y != b[i].y {
			return true
		}
	}
	return false
}

func seconds(m metrics.Millis) float64 { return m.Duration().Seconds() }

// place is a coordinate, exact to a tenth.
func place(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// short is a number of seconds on an axis.
func short(s float64) string {
	d := time.Duration(math.Round(s*1e6)) * time.Microsecond
	switch {
	case s == 0:
		return "0"
	case s < 0.9995:
		return trimmed(s*1000) + " ms"
	case s < 120:
		return trimmed(s) + " s"
	case s < 7200:
		return trimmed(d.Minutes()) + " min"
	}
	return trimmed(d.Hours()) + " h"
}

func trimmed(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

// amount is a number on an axis: 1,500, 15k or 1.5 M.
func amount(v float64) string {
	if v >= 1e6 {
		return trimmed(v/1e6) + " M"
	}
	if v >= 10000 {
		return trimmed(v/1000) + "k"
	}
	if v >= 1000 {
		return thousands(int(math.Round(v)))
	}
	return trimmed(v)
}

func perSecond(v float64) string {
	if v == 0 {
		return "0"
	}
	if 1000 <= v && v < 1e6 {
		return trimmed(v/1000) + "k/s"
	}
	return amount(v) + "/s"
}
