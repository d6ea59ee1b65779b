package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// charts are the pictures of a run; one that would be empty is left out.
func charts(r metrics.Report) []chart {
	if len(r.Charts.Points) == 0 {
		return nil
	}
	all := []chart{arrivals(r.Charts), inStages(r.Charts), endings(r.Charts), totals(r.Charts)}
	if t, ok := timesOf(r.Times, "time_to_assigned"); ok {
		all = append(all, assignedOverTime(r.Charts), distribution(r.Charts.Spread, t))
	}
	return all
}

func timesOf(all []metrics.Times, name string) (metrics.Times, bool) {
	for _, t := range all {
		if t.Metric == name {
			return t, true
		}
	}
	return metrics.Times{}, false
}

// arrivals sets what was due against what started.
func arrivals(c metrics.Charts) chart {
	picture := chart{ID: "arrivals", Title: "Arrivals", Legend: []legend{{"due", "due"}, {"started", "started"}}}
	var ground, due, started []series
	top, total := 0.0, 0
	for _, p := range c.Points {
		x := seconds(p.At + c.Width/2)
		ground = append(ground, series{x, 0})
		due = append(due, series{x, rate(p.Due, c)})
		started = append(started, series{x, rate(p.Started, c)})
		top = max(top, rate(p.Due, c), rate(p.Started, c))
		total += p.Started
	}
	a := timeAxes(c.Points, c.Width, top)
	picture.overTime(a, perSecond)
	picture.area("due", a, ground, due)
	picture.line("started", a, started)
	picture.Desc = fmt.Sprintf("Boots due and started a second over the run; %s started, %s at the most.", thousands(total), perSecond(math.Round(top)))
	return picture
}

func rate(n int, c metrics.Charts) float64 { return float64(n) / seconds(c.Width) }

// inStages is how many boots were where.
func inStages(c metrics.Charts) chart {
	picture := chart{ID: "stages", Title: "Boots in each stage"}
	var layers []layer
	for stage := device.Off; stage <= device.Waiting; stage++ {
		layers = append(layers, layer{
			class: "stage-" + stage.String(), name: stageName(stage),
			of: func(p metrics.Point) float64 { return float64(p.Stages[stage]) },
		})
	}
	picture.stack(c.Points, c.Width, layers, amount)
	most := 0
	for _, p := range c.Points {
		sum := 0
		for _, n := range p.Stages {
			sum += n
		}
		most = max(most, sum)
	}
	picture.Desc = fmt.Sprintf("How many boots were in each stage as time went by; %s at once at the most.", thousands(most))
	return picture
}

// stageName is a stage for a reader: the time in Off is how late a boot is.
func stageName(s device.Stage) string {
	if s == device.Off {
		return "late"
	}
	return s.String()
}

func endings(c metrics.Charts) chart {
	picture := chart{ID: "outcomes", Title: "How boots ended"}
	var layers []layer
	for _, o := range device.Outcomes() {
		layers = append(layers, layer{
			class: "outcome-" + string(o), name: string(o),
			of: func(p metrics.Point) float64 { return rate(p.Outcomes[o], c) },
		})
	}
	picture.stack(c.Points, c.Width, layers, perSecond)
	picture.Desc = "Boots that ended a second over the run, by outcome; the table of fleets has the sums."
	return picture
}

// totals are sums over the run so far: what lies between due and ended is under
// way.
func totals(c metrics.Charts) chart {
	picture := chart{ID: "totals", Title: "Due and done, in total", Legend: []legend{{"due", "due"}, {"ended", "ended"}, {"landed", "assigned"}}}
	ground, due := []series{{0, 0}}, []series{{0, 0}}
	ended, assigned := []series{{0, 0}}, []series{{0, 0}}
	var all, done, landed float64
	for _, p := range c.Points {
		x := seconds(p.At + c.Width)
		all += float64(p.Due)
		landed += float64(p.Outcomes[device.OutcomeAssigned])
		for _, n := range p.Outcomes {
			done += float64(n)
		}
		ground, due = append(ground, series{x, 0}), append(due, series{x, all})
		ended, assigned = append(ended, series{x, done}), append(assigned, series{x, landed})
	}
	a := timeAxes(c.Points, c.Width, max(all, done))
	picture.overTime(a, amount)
	picture.area("due", a, ground, due)
	picture.line("ended", a, ended)
	picture.line("landed", a, assigned)
	picture.Desc = fmt.Sprintf("Sums over the run: %s boots due, %s ended, %s of them assigned.", thousands(int(all)), thousands(int(done)), thousands(int(landed)))
	return picture
}

// assignedOverTime is the time to assigned of those that were assigned just
// then.
func assignedOverTime(c metrics.Charts) chart {
	picture := chart{ID: "assigned", Title: "Time to assigned, over the run", Legend: []legend{{"max", "max"}, {"p95", "p95"}, {"p50", "p50"}}}
	var p50, p95, most []series
	top := 0.0
	for _, p := range c.Points {
		x := seconds(p.At + c.Width/2)
		value := func(m metrics.Millis) series {
			if p.Assigned == 0 {
				return series{x, math.NaN()}
			}
			return series{x, seconds(m)}
		}
		p50, p95, most = append(p50, value(p.P50)), append(p95, value(p.P95)), append(most, value(p.Max))
		top = max(top, seconds(p.Max))
	}
	a := timeAxes(c.Points, c.Width, top)
	picture.overTime(a, short)
	picture.line("max", a, most)
	picture.line("p95", a, p95)
	picture.line("p50", a, p50)
	picture.Desc = "Median, 95th percentile and maximum of the time from due to assigned, by when the devices were assigned."
	return picture
}

// distribution is how many devices took how long. Its parts are equally wide on
// the page, whether they are equal steps or equal ratios.
func distribution(bars []metrics.Bar, t metrics.Times) chart {
	picture := chart{ID: "spread", Title: "Time to assigned, distribution"}
	top := 0
	for _, b := range bars {
		top = max(top, b.Count)
	}
	a := axes{x1: float64(len(bars)), y1: max(float64(top)*1.08, 1)}
	picture.yTicks(a, amount)
	for i, b := range bars {
		if b.Count > 0 {
			y := min(a.y(float64(b.Count)), plotBottom-1)
			picture.Bars = append(picture.Bars, bar{
				X: place(a.x(float64(i)) + 0.5), Width: place(a.x(1) - a.x(0) - 1), Y: place(y), Height: place(plotBottom - y),
				Title: fmt.Sprintf("%s to %s: %s", edge(b.From, b), edge(b.To, b), thousands(b.Count)), Class: "spread",
			})
		}
		if i%max(1, len(bars)/4) == 0 {
			picture.X = append(picture.X, tick{At: place(a.x(float64(i))), Label: edge(b.From, b)})
		}
	}
	x50, x95 := a.along(bars, t.P50), a.along(bars, t.P95)
	picture.mark(x95, "p95")
	if x95-x50 > 30 { // else they would be one on the other
		picture.mark(x50, "p50")
	}
	picture.Desc = fmt.Sprintf("How many devices took how long from due to assigned: from %v to %v, half of them up to %v, 95 %% up to %v.", t.Min, t.Max, t.P50, t.P95)
	return picture
}

// edge is where a bar begins or ends, exact enough to tell it from the next one: devices
// whose time is the polls' all take nearly as long.
func edge(at metrics.Millis, b metrics.Bar) string {
	if at < second || at >= 60*second || b.To-b.From >= second/10 {
		return at.String()
	}
	decimals := 2
	if b.To-b.From < second/100 {
		decimals = 3
	}
	return strconv.FormatFloat(seconds(at), 'f', decimals, 64) + "s"
}

const second = metrics.Millis(time.Second)

// along is the place of a value between the bars.
func (a axes) along(bars []metrics.Bar, v metrics.Millis) float64 {
	for i, b := range bars {
		if v > b.To && i < len(bars)-1 {
			continue
		}
		within := 0.5
		if b.To > b.From {
			within = min(1, float64(v-b.From)/float64(b.To-b.From))
		}
		return a.x(float64(i) + within)
	}
	return plotLeft
}

// mark draws a line with a word.
func (c *chart) mark(x float64, word string) {
	c.Marks = append(c.Marks, tick{At: place(x), Label: word, Left: x < plotLeft+30})
}
