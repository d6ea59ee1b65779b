package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"dpsfleet/fleet"
	"dpsfleet/metrics"
)

// Search looks for the highest rate at which a webhook still meets a scenario's
// thresholds and expectations.
type Search struct {
	// First is the rate of the first round, in calls a second; it is doubled from
	// round to round, and never goes beyond Most.
	First, Most float64
	// For is how long a round takes.
	For time.Duration
	// Round, if not nil, is told of each round.
	Round func(Round)
}

// Round is a run at one rate.
type Round struct {
	Rate   float64
	Report metrics.Report
	// GaveWay are sentences on what was not met; none if all was.
	GaveWay []string
	// Stopped says that half of the calls had failed, and the round was ended.
	Stopped bool
	// Limited says that this machine was the bottleneck, so that the round says
	// nothing of the webhook.
	Limited bool
}

// Found is what a Search has found.
type Found struct {
	// Highest is the highest rate that met all; 0 if not even the first did.
	Highest float64
	// Failed is the lowest round that did not; nil if none failed up to Most.
	Failed *Round
}

// nearEnough ends the search: the limit is known to a twentieth.
const nearEnough = 1.05

// FindLimit runs the scenario again and again. A round in which half of the calls
// fail is ended at once, and no round after it is as fast.
func FindLimit(ctx context.Context, s Scenario, env Env, search Search) (Found, error) {
	if !s.direct() {
		return Found{}, errors.New("the limit of a webhook is found by calling it directly")
	}
	var found Found
	first := 0 // devices so far, so that no round calls for those of another
	for rate := min(search.First, search.Most); ; {
		round, devices, err := s.round(ctx, env, search, rate, first)
		if err != nil {
			return found, err
		}
		first += devices
		if search.Round != nil {
			search.Round(round)
		}
		if ctx.Err() != nil {
			return found, nil
		}
		found = found.with(round)
		next, more := found.next(rate, search.Most)
		if !more {
			return found, nil
		}
		rate = next
	}
}

func (f Found) with(r Round) Found {
	if len(r.GaveWay) == 0 {
		f.Highest = r.Rate
		return f
	}
	f.Failed = &r
	return f
}

// next is the rate to try: twice as much while all is met, and then the middle,
// as far as rates are apart, between what was met and what was not.
func (f Found) next(rate, most float64) (next float64, more bool) {
	switch {
	case f.Failed == nil:
		return min(2*rate, most), rate < most
	case f.Highest == 0 || f.Failed.Rate/f.Highest <= nearEnough:
		return 0, false
	}
	next = math.Round(math.Sqrt(f.Highest * f.Failed.Rate))
	return next, next > f.Highest && next < f.Failed.Rate
}

// round is one run at a rate.
func (s Scenario) round(ctx context.Context, env Env, search Search, rate float64, first int) (Round, int, error) {
	shape, err := fleet.ParseShape("constant " + strconv.FormatFloat(rate, 'f', -1, 64) + "/s")
	if err != nil {
		return Round{}, 0, err
	}
	if s, err = s.Arriving(Stages{shape}, search.For); err != nil {
		return Round{}, 0, err
	}
	for i := range s.Fleets {
		s.Fleets[i].First = s.Fleets[i].first() + first
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	round := Round{Rate: rate}
	show := env.Progress
	env.Progress = func(p metrics.Progress) {
		if tooMany(p) {
			stop()
		}
		if show != nil {
			show(p)
		}
	}
	report, err := Run(running, s, env)
	var setup *SetupError
	if err != nil && (!errors.As(err, &setup) || first == 0) {
		return round, 0, err
	}
	round.Report = report
	round.Stopped = running.Err() != nil && ctx.Err() == nil
	round.Limited = !report.Run.Health.Valid()
	round.GaveWay = gaveWay(round)
	return round, s.devices(), nil
}

// tooMany reports whether half of the calls so far were not answered as they
// should be, once there are enough to say so.
func tooMany(p metrics.Progress) bool {
	const enough = 20
	return p.Ended >= enough && 2*p.Unexpected >= p.Ended
}

// gaveWay says what was not met.
func gaveWay(r Round) []string {
	var out []string
	for _, t := range r.Report.Thresholds {
		if !t.Met {
			out = append(out, fmt.Sprintf("%s: %s", t.Threshold, t.Text))
		}
	}
	for _, e := range r.Report.Expectations {
		if !e.Passed {
			out = append(out, fmt.Sprintf("%s: %s: %d of %d", e.Fleet, e.Expectation, e.Met, e.Of))
		}
	}
	out = append(out, r.Report.Failures...)
	if r.Stopped {
		out = append(out, "half of the calls failed, so the round was ended")
	}
	return append(out, r.Report.Run.Health.Limits...)
}
