package live

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// snapshot is a run at one moment, as the page's script reads it. Durations that are
// drawn are seconds; those that are read are text.
type snapshot struct {
	Scenario string   `json:"scenario"`
	Target   string   `json:"target"`
	Seed     string   `json:"seed"` // a number that scripts cannot hold
	Version  string   `json:"version"`
	Direct   bool     `json:"direct"` // a webhook is called, and no DPS
	Over     bool     `json:"over"`
	Verdict  verdict  `json:"verdict"`
	Reasons  []string `json:"reasons"` // why it is no plain PASS

	Elapsed    float64 `json:"elapsed"`
	Left       float64 `json:"left"` // 0 is unknown
	Planned    int     `json:"planned"`
	Due        int     `json:"due"`
	Ended      int     `json:"ended"`
	Unexpected int     `json:"unexpected"`
	Rate       float64 `json:"rate"`

	Fleets     []fleetJSON     `json:"fleets"`
	Series     seriesJSON      `json:"series"`
	Points     pointsJSON      `json:"points"`
	Hubs       []hub           `json:"hubs"`
	Outcomes   []outcomeJSON   `json:"outcomes"`
	Times      []timesJSON     `json:"times"`
	Thresholds []thresholdJSON `json:"thresholds"`
	Generator  []figure        `json:"generator"`
}

// verdict is said aloud when it changes, so it has no numbers.
type verdict struct {
	State string `json:"state"` // good, bad or plain
	Text  string `json:"text"`
}

type fleetJSON struct {
	Name       string `json:"name"`
	Planned    int    `json:"planned"`
	Due        int    `json:"due"`
	Ended      int    `json:"ended"`
	Assigned   int    `json:"assigned"`
	Unexpected int    `json:"unexpected"`
}

type timesJSON struct {
	Name  string    `json:"name"`
	Count int64     `json:"count"`
	Cells [5]string `json:"cells"` // p50, p90, p95, p99, max
}

type thresholdJSON struct {
	Text     string `json:"text"`
	State    string `json:"state"` // good, bad or plain
	Observed string `json:"observed"`
}

// figure is a value with its name.
type figure struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	State string `json:"state"`
}

func (f *fold) snapshot() snapshot {
	p := f.at
	s := snapshot{
		Scenario: shown(f.info.Scenario, maxName), Target: shown(f.info.Target, maxSentence),
		Seed: strconv.FormatUint(f.info.Seed, 10), Version: f.info.Versions["dpsfleet"], Direct: f.info.Direct,
		Verdict: verdict{"plain", "Running: all as expected so far"},
		Reasons: []string{}, Elapsed: p.Elapsed.Seconds(), Left: p.Left.Seconds(),
		Planned: p.Planned, Due: p.Due, Ended: p.Ended, Unexpected: p.Unexpected, Rate: p.Recent,
		Fleets: fleets(p.Fleets), Series: f.series.json(false), Hubs: f.hubs.json(), Outcomes: f.outcomes.json(),
		Times: f.last.Times, Thresholds: f.last.Thresholds, Points: f.last.Points, Generator: f.generator(),
	}
	return s
}

func fleets(all []metrics.FleetProgress) []fleetJSON {
	out := make([]fleetJSON, 0, len(all))
	for _, f := range all {
		out = append(out, fleetJSON{shown(f.Name, maxName), f.Planned, f.Due, f.Ended, f.Assigned, f.Unexpected})
	}
	return out
}

// finestPoint is long enough for a rate and for percentiles to mean something.
const finestPoint = time.Second

// judge adds what the collector knows.
func (s *snapshot) judge(c *metrics.Collector) {
	s.times(c.Times())
	s.Points = pointsOf(c.Points(finestPoint))
	s.thresholds(c.Thresholds(), false)
	missed := false
	for _, t := range s.Thresholds {
		missed = missed || t.State == "bad"
	}
	switch {
	case s.Unexpected > 0 && missed:
		s.Verdict = verdict{"bad", "Running: boots ended as nobody expected, and thresholds are missed"}
	case s.Unexpected > 0:
		s.Verdict = verdict{"bad", "Running: boots ended as nobody expected"}
	case missed:
		s.Verdict = verdict{"bad", "Running: thresholds are missed so far"}
	default:
		s.Verdict = verdict{"plain", "Running: all as expected so far"}
	}
}

func (s *snapshot) times(all []metrics.Times) {
	s.Times = make([]timesJSON, 0, len(all))
	for _, t := range all {
		one := timesJSON{Name: t.Metric, Count: t.Count}
		for i, d := range []metrics.Millis{t.P50, t.P90, t.P95, t.P99, t.Max} {
			one.Cells[i] = d.String()
		}
		s.Times = append(s.Times, one)
		if t.Metric == "lateness" {
			s.Generator[0].Value = t.P99.String()
			s.Generator[0].State = badIf(t.P99 > metrics.Millis(time.Second))
		}
	}
}

// thresholds says how they stand. One without data is missed only when no more can
// come.
func (s *snapshot) thresholds(results []metrics.ThresholdResult, over bool) {
	s.Thresholds = make([]thresholdJSON, 0, len(results))
	for _, r := range results {
		t := thresholdJSON{Text: shown(r.Threshold.String(), maxSentence), State: "bad", Observed: r.Text}
		switch {
		case r.Met:
			t.State = "good"
		case r.NoData && !over:
			t.State = "plain"
		}
		s.Thresholds = append(s.Thresholds, t)
	}
}

// end is how it came out.
func (s *snapshot) end(r metrics.Report) {
	s.Over, s.Left, s.Elapsed = true, 0, r.Took.Duration().Seconds()
	s.Verdict = verdict{"bad", r.Verdict()}
	if r.ExitCode() == metrics.ExitMet {
		s.Verdict.State = "good"
	}
	s.times(r.Times)
	s.thresholds(r.Thresholds, true)
	for _, sentence := range slices.Concat(r.Failures, r.Run.Health.Limits) {
		s.Reasons = append(s.Reasons, shown(sentence, maxSentence))
	}
	if n := r.Run.Reconciliation.Differing; n > 0 {
		s.Reasons = append(s.Reasons, strconv.Itoa(n)+" devices heard something else than what the cloud says")
	}
	for _, e := range r.Expectations {
		if !e.Passed {
			s.Reasons = append(s.Reasons, shown(e.Fleet+": "+e.Expectation+": not met", maxSentence))
		}
	}
	s.Reasons = s.Reasons[:min(len(s.Reasons), maxReasons)]
}

const maxReasons = 20

func (s *snapshot) send(p *Page) {
	data, err := json.Marshal(s)
	if err != nil {
		return // nothing in it can fail: no float is infinite
	}
	p.publish(data)
}

// pointsJSON is what is drawn of the boots that have ended.
type pointsJSON struct {
	Width    float64     `json:"width"`    // seconds
	Outcomes []stageJSON `json:"outcomes"` // by outcome, boots ended
	P50      []*float64  `json:"p50"`      // seconds to assigned; null where nobody was
	P95      []*float64  `json:"p95"`
	Max      []*float64  `json:"max"`
}

func pointsOf(width metrics.Millis, points []metrics.Point) pointsJSON {
	out := pointsJSON{Width: width.Duration().Seconds(), Outcomes: []stageJSON{}}
	for _, o := range device.Outcomes() {
		values, any := make([]int, len(points)), false
		for i := range points {
			values[i] = points[i].Outcomes[o]
			any = any || values[i] > 0
		}
		if any {
			out.Outcomes = append(out.Outcomes, stageJSON{string(o), values})
		}
	}
	for i := range points {
		p := &points[i]
		out.P50 = append(out.P50, secondsOf(p, p.P50))
		out.P95 = append(out.P95, secondsOf(p, p.P95))
		out.Max = append(out.Max, secondsOf(p, p.Max))
	}
	return out
}

func secondsOf(p *metrics.Point, d metrics.Millis) *float64 {
	if p.Assigned == 0 {
		return nil
	}
	s := d.Duration().Seconds()
	return &s
}
