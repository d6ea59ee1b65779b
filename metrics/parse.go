package metrics

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dpsfleet/provisioning/wording"
)

// maxThreshold bounds the text of a threshold, in bytes.
const maxThreshold = 300

// ParseThreshold reads `[fleet] metric [p(95)|min|max|avg|med|count|share] op value`.
//
// The metrics are time_to_assigned and time_to_online, both from when a boot was
// due; lateness, dial, tls, register, assigning, join, twin and waiting, the time
// of a boot in each; webhook, its calls; polls and retries; boots, unexpected
// and each outcome, which are counted. The op is < <= > >= == or !=. The value
// is a duration (8s), a share (1%) or a number, as the metric and its statistic
// ask for. Where a metric is only counted, the statistic may be left out.
//
// Errors name the column, and the nearest word if one is close.
func ParseThreshold(text string) (Threshold, error) {
	p := parser{text: text}
	if len(text) > maxThreshold {
		return Threshold{}, fmt.Errorf("a threshold of %d bytes; %d are enough", len(text), maxThreshold)
	}
	if !utf8.ValidString(text) {
		return Threshold{}, fmt.Errorf("threshold %q: not text", text)
	}
	p.scan()
	t, err := p.threshold()
	if err != nil {
		return Threshold{}, fmt.Errorf("threshold %q: %w", text, err)
	}
	return t, nil
}

type parser struct {
	text  string
	words []word
}

type word struct {
	text   string
	column int // counts characters from 1
	op     bool
}

// scan splits the text into words and operators; no space is needed between the
// two.
func (p *parser) scan() {
	column := 0
	var last rune = ' '
	for _, r := range p.text {
		column++
		op := strings.ContainsRune("<>=!", r)
		switch {
		case unicode.IsSpace(r):
		case !unicode.IsSpace(last) && strings.ContainsRune("<>=!", last) == op:
			p.words[len(p.words)-1].text += string(r)
		default:
			p.words = append(p.words, word{text: string(r), column: column, op: op})
		}
		last = r
	}
}

func (p *parser) end() word { return word{column: utf8.RuneCountInString(p.text) + 1} }

func (p *parser) threshold() (Threshold, error) {
	var t Threshold
	at := slices.IndexFunc(p.words, func(w word) bool { return w.op })
	if at < 0 {
		return t, p.end().errorf("no comparison; expected one of < <= > >= == != and a value")
	}
	op := p.words[at]
	t.op = op.text
	if !slices.Contains([]string{"<", "<=", ">", ">=", "==", "!="}, t.op) {
		return t, op.errorf("no comparison is called %q; expected one of < <= > >= == !=", t.op)
	}
	if err := t.subject(p.words[:at], op); err != nil {
		return t, err
	}
	rest := p.words[at+1:]
	if len(rest) == 0 {
		return t, p.end().errorf("no value after %s", t.op)
	}
	if len(rest) > 1 {
		return t, rest[1].errorf("%q is one word too many; a threshold ends with its value", rest[1].text)
	}
	return t, t.readValue(rest[0])
}

// subject reads what stands before the comparison.
func (t *Threshold) subject(words []word, op word) error {
	switch len(words) {
	case 0:
		return op.errorf("no metric before %s", op.text)
	case 1:
		return t.readMetric(words[0], op)
	case 2:
		if !isMetric(words[0].text) && (isMetric(words[1].text) || !isStat(words[1].text) && wording.Meant(words[0].text, metricNames()) == "") {
			t.Fleet = words[0].text
			return t.readMetric(words[1], op)
		}
	case 3:
		t.Fleet = words[0].text
		words = words[1:]
	default:
		return words[3].errorf("%q is one word too many before %s", words[3].text, op.text)
	}
	if !isMetric(words[0].text) {
		return unknown(words[0], "metric", metricNames())
	}
	t.metric = words[0].text
	return t.readStat(words[1])
}

// readMetric reads a metric that stands without a statistic.
func (t *Threshold) readMetric(w, op word) error {
	if !isMetric(w.text) {
		return unknown(w, "metric", metricNames())
	}
	t.metric = w.text
	if _, distributed := metricNamed(w.text); distributed {
		return op.errorf("say which %s: %s", w.text, strings.Join(t.stats(), ", "))
	}
	return nil
}

func (t *Threshold) readStat(w word) error {
	t.stat = w.text
	if strings.HasPrefix(w.text, "p(") {
		inside, closed := strings.CutSuffix(w.text[2:], ")")
		percent, err := strconv.ParseFloat(inside, 64)
		if !closed || err != nil || !(0 <= percent && percent <= 100) {
			return w.errorf("%q is not a percentile such as p(95)", w.text)
		}
		t.percent = percent
	}
	if w.text == "med" {
		t.percent = 50
	}
	if !isStat(w.text) {
		return unknown(w, "statistic", stats())
	}
	if !slices.Contains(t.stats(), t.statName()) {
		return w.errorf("%s has no %s; it has %s", t.metric, w.text, strings.Join(t.stats(), ", "))
	}
	return nil
}

// readValue reads the limit and checks that it is of the kind that the statistic
// is of.
func (t *Threshold) readValue(w word) error {
	t.limit = w.text
	if t.stat == "" && t.metric != counterBoots && strings.HasSuffix(w.text, "%") {
		t.kind = percentage
	}
	m, _ := metricNamed(t.metric)
	switch {
	case t.statName() == "share":
		t.kind = percentage
	case t.kindOfStat() == statOfValues && m.duration():
		t.kind = duration
	}
	value, ok := parseValue(w.text, t.kind)
	if !ok {
		subject := strings.TrimSpace(t.metric + " " + t.stat)
		wanted := [...]string{"a number such as 0", "a duration such as 8s", "a share such as 1%"}[t.kind]
		return w.errorf("%s is held against %s, not %q", subject, wanted, w.text)
	}
	t.value = value
	if t.never() {
		return w.errorf("no run can meet it: nothing is %s %s", t.op, t.limit)
	}
	return nil
}

func parseValue(text string, k kind) (float64, bool) {
	switch k {
	case duration:
		d, err := time.ParseDuration(text)
		return float64(d) / float64(time.Microsecond), err == nil && d >= 0
	case percentage:
		return parsePercent(text)
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil && v >= 0 && !math.IsInf(v, 0)
}

func parsePercent(text string) (float64, bool) {
	digits, ok := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(digits, 64)
	return v, ok && err == nil && 0 <= v && v <= 100
}

func isMetric(name string) bool { return slices.Contains(metricNames(), name) }

func isStat(name string) bool {
	return strings.HasPrefix(name, "p(") || slices.Contains(stats(), name)
}

func stats() []string { return []string{"p(95)", "min", "max", "avg", "med", "count", "share"} }

// stats are those that the threshold's metric has.
func (t *Threshold) stats() []string {
	m, distributed := metricNamed(t.metric)
	switch {
	case t.metric == counterBoots:
		return []string{"count"}
	case !distributed:
		return []string{"count", "share"}
	case m == metricWebhook || !m.duration():
		return []string{"p(95)", "min", "max", "avg", "med", "count"} // several a boot: no share of boots
	}
	return stats()
}

// statName is the statistic, all percentiles being p(95).
func (t *Threshold) statName() string {
	if strings.HasPrefix(t.stat, "p(") {
		return "p(95)"
	}
	return t.stat
}

const (
	statOfValues = iota // in the metric's unit
	statOfBoots         // how many
)

func (t *Threshold) kindOfStat() int {
	if t.stat == "" || t.stat == "count" || t.stat == "share" {
		return statOfBoots
	}
	return statOfValues
}
