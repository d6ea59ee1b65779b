package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"dpsfleet/provisioning"
)

// Threshold is a condition on the whole of a run or on one fleet, such as
// `toasters time_to_assigned p(95) < 8s`. In JSON it is its text, or an object
// {"when": text, "abort": bool, "after": duration} of which when is required.
type Threshold struct {
	Fleet string // whose boots; empty for all
	// Abort ends the run as soon as the condition does not hold, though not
	// before After has passed since the run's start.
	Abort bool
	After time.Duration

	metric  string
	stat    string // as written; empty where the value says it
	op      string
	limit   string // as written
	percent float64
	value   float64 // microseconds, percent or a number
	kind    kind
}

// kind is what a value counts.
type kind int

const (
	number kind = iota
	duration
	percentage
)

// String is the condition as it was written, with single spaces.
func (t Threshold) String() string {
	text := t.metric
	if t.Fleet != "" {
		text = t.Fleet + " " + text
	}
	if t.stat != "" {
		text += " " + t.stat
	}
	return text + " " + t.op + " " + t.limit
}

type thresholdJSON struct {
	When  string `json:"when"`
	Abort bool   `json:"abort,omitempty"`
	After string `json:"after,omitempty"`
}

// MarshalJSON writes the shorter of the two forms.
func (t Threshold) MarshalJSON() ([]byte, error) {
	if !t.Abort {
		return provisioning.Marshal(t.String())
	}
	form := thresholdJSON{When: t.String(), Abort: true}
	if t.After > 0 {
		form.After = t.After.String()
	}
	return provisioning.Marshal(form)
}

// UnmarshalJSON reads either form, strictly.
func (t *Threshold) UnmarshalJSON(data []byte) (err error) {
	form := thresholdJSON{}
	if bytes.HasPrefix(data, []byte(`"`)) {
		if err := json.Unmarshal(data, &form.When); err != nil {
			return err
		}
		*t, err = ParseThreshold(form.When)
		return err
	}
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&form); err != nil {
		return fmt.Errorf("a threshold is a text, or an object of when, abort and after: %w", err)
	}
	parsed, err := ParseThreshold(form.When)
	after, errAfter := parseAfter(form)
	if err := errors.Join(err, errAfter); err != nil {
		return err
	}
	*t = parsed
	t.Abort, t.After = form.Abort, after
	return nil
}

func parseAfter(form thresholdJSON) (time.Duration, error) {
	if form.After == "" {
		return 0, nil
	}
	after, err := time.ParseDuration(form.After)
	if err != nil || after < 0 {
		return 0, fmt.Errorf("the threshold's after, %.40q, is not a duration such as 30s", form.After)
	}
	if !form.Abort {
		return 0, errors.New("the threshold has after without abort: true, which alone it is for")
	}
	return after, nil
}

// ThresholdResult is what became of a threshold.
type ThresholdResult struct {
	Threshold Threshold `json:"threshold"`
	Met       bool      `json:"met"`
	// NoData says that there was nothing to judge by; then it is not met.
	NoData bool `json:"noData,omitempty"`
	// Observed is the value in milliseconds, percent or as a number; Margin is
	// what is left to the limit, negative where it is missed.
	Observed float64 `json:"observed"`
	Margin   float64 `json:"margin"`
	// Text is Observed with its unit, as exact as the comparison needs.
	Text string `json:"text"`
}

// judge holds the threshold against the boots of f, its fleet or the whole run.
func (t Threshold) judge(f *fleetFold, ours bool) ThresholdResult {
	result := ThresholdResult{Threshold: t}
	observed, ok := t.observe(f, ours)
	if !ok {
		result.NoData, result.Text = true, "no data"
		return result
	}
	result.Met = t.holds(observed)
	result.Observed, result.Margin = t.unit(observed), t.unit(t.margin(observed))
	result.Text = t.text(observed, result.Met)
	return result
}

// observe is the value that the threshold is about. The calls of a webhook are
// seen only if the cloud is ours; none is then not the same as 0.
func (t Threshold) observe(f *fleetFold, ours bool) (float64, bool) {
	if f == nil || f.ended == 0 {
		return 0, false
	}
	m, ok := metricNamed(t.metric)
	if !ok {
		return t.ratio(f.counter(t.metric), f.ended), true
	}
	d := &f.dists[m]
	if d.n == 0 && (t.kindOfStat() == statOfValues || m == metricWebhook && !ours) {
		return 0, false
	}
	switch t.statName() {
	case "count":
		if m.duration() {
			return float64(d.n), true
		}
		return float64(d.sum), true
	case "share":
		return t.ratio(int(d.n), f.ended), true
	case "min":
		return float64(d.min), true
	case "max":
		return float64(d.max), true
	case "avg":
		return d.avg(), true
	}
	return float64(d.quantile(t.percent)), true
}

func (t Threshold) ratio(n, of int) float64 {
	if t.kind == percentage {
		return 100 * float64(n) / float64(of)
	}
	return float64(n)
}

func (t Threshold) holds(v float64) bool {
	same := math.Abs(v-t.value) <= 1e-9*math.Max(1, math.Abs(t.value))
	switch t.op {
	case "<":
		return v < t.value && !same
	case "<=":
		return v < t.value || same
	case ">":
		return v > t.value && !same
	case ">=":
		return v > t.value || same
	case "==":
		return same
	}
	return !same
}

// never reports whether no value can meet the condition.
func (t Threshold) never() bool {
	return t.op == "<" && t.value == 0 || t.op == ">" && t.value == 100 && t.kind == percentage
}

func (t Threshold) margin(v float64) float64 {
	switch t.op {
	case "<", "<=":
		return t.value - v
	case ">", ">=":
		return v - t.value
	case "==":
		return -math.Abs(v - t.value)
	}
	return math.Abs(v - t.value)
}

// unit turns the microseconds of durations into milliseconds.
func (t Threshold) unit(v float64) float64 {
	if t.kind == duration {
		return math.Round(v) / 1000
	}
	return v
}

// text rounds for reading, unless the threshold is missed: 8.0s < 8s would look
// wrong either way.
func (t Threshold) text(v float64, met bool) string {
	switch t.kind {
	case duration:
		d := time.Duration(math.Round(v)) * time.Microsecond
		if !met && d >= time.Millisecond {
			return d.Round(time.Millisecond).String()
		}
		return Millis(d).String()
	case percentage:
		return trim(v, 3) + "%"
	}
	return trim(v, 2)
}

// trim is v with at most so many decimals, without zeros at the end.
func trim(v float64, decimals int) string {
	scale := math.Pow10(decimals)
	return strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64)
}
