package metrics

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"dpsfleet/device"
)

// Report is a run as it is told, whatever the medium.
type Report struct {
	Run       RunInfo `json:"run"`
	Due       int     `json:"due"`
	Accounted int     `json:"accounted"`
	Dropped   int     `json:"dropped"`
	Took      Millis  `json:"ms"` // of the whole run

	Fleets       []FleetReport       `json:"fleets"`
	Times        []Times             `json:"times"`
	Thresholds   []ThresholdResult   `json:"thresholds,omitempty"`
	Expectations []ExpectationResult `json:"expectations,omitempty"`
	Log          string              `json:"log,omitempty"`
	// Failures are sentences on what fails the run beside thresholds, shares and
	// reconciliation.
	Failures []string `json:"failures,omitempty"`
	// Unexpected are some of the boots that met no expectation, those that did
	// not get to a hub kept before those that did.
	Unexpected []Boot `json:"unexpected,omitempty"`
	// Slowest are those of the others that took longest.
	Slowest []Boot `json:"slowest,omitempty"`
	// Charts is for pictures; a program that wants series reads the log.
	Charts Charts `json:"-"`
}

// FleetReport is what became of one fleet.
type FleetReport struct {
	Name       string                 `json:"name"`
	Due        int                    `json:"due"`
	Outcomes   map[device.Outcome]int `json:"outcomes"`
	Unexpected int                    `json:"unexpected"`
	Places     []Place                `json:"places"` // most boots first
	// Retries is how often its boots waited and tried again, MostRetries that of
	// the boot that did so most.
	Retries     int64   `json:"retries,omitempty"`
	MostRetries int64   `json:"mostRetries,omitempty"`
	Times       []Times `json:"times,omitempty"`
}

// Place is where boots of a fleet ended: a hub, or a code or an outcome. What is
// beyond the hundredth is called other.
type Place struct {
	Name       string         `json:"name"`
	Outcome    device.Outcome `json:"outcome"`
	Count      int            `json:"count"`
	Unexpected int            `json:"unexpected,omitempty"`
}

// Times is how a duration was distributed. The percentiles are good to 0.1 %.
type Times struct {
	Metric string `json:"metric"` // as in thresholds
	Count  int64  `json:"count"`
	Min    Millis `json:"min"`
	Avg    Millis `json:"avg"`
	P50    Millis `json:"p50"`
	P90    Millis `json:"p90"`
	P95    Millis `json:"p95"`
	P99    Millis `json:"p99"`
	Max    Millis `json:"max"`
}

// ExpectationResult is how many boots of a fleet met an expectation.
type ExpectationResult struct {
	Fleet       string `json:"fleet"`
	Expectation string `json:"expectation"`
	Share       string `json:"share,omitempty"`
	Met         int    `json:"met"`
	Of          int    `json:"of"`
	Passed      bool   `json:"passed"`
	// TagsUnchecked says that its tags could not be seen.
	TagsUnchecked bool `json:"tagsUnchecked,omitempty"`
}

// Passed reports whether thresholds, expectations and reconciliation were all
// met and every boot that was due is accounted for.
func (r Report) Passed() bool {
	return len(r.Failures) == 0 && r.Run.Reconciliation.Differing == 0 &&
		!slices.ContainsFunc(r.Thresholds, func(t ThresholdResult) bool { return !t.Met }) &&
		!slices.ContainsFunc(r.Expectations, func(e ExpectationResult) bool { return !e.Passed })
}

// Exit codes of a run that ran.
const (
	ExitMet         = 0
	ExitUnmet       = 3   // thresholds, expectations or reconciliation
	ExitLimited     = 4   // the generator itself was the bottleneck
	ExitInterrupted = 130 // as shells have it for Ctrl-C
)

// ExitCode is what the program should exit with, the first that holds of
// interrupted, limited, unmet and met.
func (r Report) ExitCode() int {
	switch {
	case r.Run.Interrupted:
		return ExitInterrupted
	case !r.Run.Health.Valid():
		return ExitLimited
	case !r.Passed():
		return ExitUnmet
	}
	return ExitMet
}

// Verdict is the report in a few words, PASS or FAIL first.
func (r Report) Verdict() string {
	verdict := "PASS"
	if !r.Passed() {
		verdict = "FAIL"
	}
	if r.Run.Interrupted {
		verdict = "INTERRUPTED"
	}
	if !r.Run.Health.Valid() {
		return verdict + "  GENERATOR-LIMITED"
	}
	return verdict + "  VALID"
}

// Report is the run's report. Call Finish first; ended is when the run ended.
func (c *Collector) Report(ended time.Time, end End) Report {
	var reconciled Reconciliation
	if c.rec != nil {
		reconciled = c.rec.result()
	}
	return c.report(ended, end, reconciled)
}

func (c *Collector) report(ended time.Time, end End, reconciled Reconciliation) Report {
	ended = moment(ended)
	all := merge(c.fleets)
	r := Report{
		Run:        c.info,
		Due:        all.due,
		Accounted:  all.ended,
		Dropped:    all.outcomes[device.OutcomeDropped],
		Took:       millis(ended.Sub(c.info.Started)),
		Times:      all.times(),
		Unexpected: slices.Clone(c.unexpected),
		Slowest:    slices.Clone(c.slowest),
	}
	r.Charts.Spread = all.dists[metricTimeToAssigned].bars()
	r.Charts.Width, r.Charts.Points = c.Points(0)
	if end.Due > 0 {
		r.Due = end.Due
	}
	if end.BlockedFrom == 0 {
		end.BlockedFrom = millis(c.blockedFrom)
	}
	r.Run.Ended, r.Run.End = &ended, end
	r.Run.Health = health(all, c.info.Started, r.Took, end)
	r.Run.Reconciliation = reconciled
	if c.log != nil {
		c.log.flush()
		r.Log = c.log.Path()
		r.note(c.log.Err())
	}
	c.reportFleets(&r)
	for _, t := range c.info.Thresholds {
		r.Thresholds = append(r.Thresholds, c.judge(t, all))
	}
	r.seal()
	c.folds.end(r)
	return r
}

func (c *Collector) reportFleets(r *Report) {
	for _, f := range c.fleets {
		fleet := f.report()
		fleet.Outcomes = maps.Clone(fleet.Outcomes)
		r.Fleets = append(r.Fleets, fleet)
		if !c.trusting && !c.elsewhere(f) {
			r.Expectations = append(r.Expectations, f.judge.results(f)...)
		}
		if f.unexpected > 0 && !f.judge.allows() && !c.limited(f.name) {
			r.fail("%s: %d of %d met no expectation", f.name, f.unexpected, f.ended)
		}
	}
}

// elsewhere reports whether all devices of the fleet are in other shards, so that
// there is nothing to expect of it here.
func (c *Collector) elsewhere(f *fleetFold) bool {
	if c.info.Shards < 2 || f.ended > 0 {
		return false
	}
	return slices.ContainsFunc(c.info.Fleets, func(planned Fleet) bool { return planned.Name == f.name && planned.Count == 0 })
}

// limited reports whether a threshold says how many boots of the fleet may be
// unexpected; without one, none may.
func (c *Collector) limited(fleet string) bool {
	return slices.ContainsFunc(c.info.Thresholds, func(t Threshold) bool {
		return t.metric == counterUnexpected && (t.Fleet == "" || t.Fleet == fleet)
	})
}

// seal draws the verdict.
func (r *Report) seal() {
	if r.Due != r.Accounted {
		r.fail("%d boots were due, %d are accounted for", r.Due, r.Accounted)
	}
	if r.Accounted == 0 {
		r.fail("no boot was due")
	}
	if r.Run.Stopped != "" {
		r.fail("%s", r.Run.Stopped)
	}
	r.Failures = append(r.Failures, r.Run.Faults...)
	r.Run.Verdict, r.Run.ExitCode = r.Verdict(), r.ExitCode()
}

func (r *Report) fail(format string, args ...any) {
	r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
}

// note adds a sentence for the reader.
func (r *Report) note(err error) {
	if err != nil {
		r.Run.Notes = append(slices.Clone(r.Run.Notes), err.Error())
	}
}
