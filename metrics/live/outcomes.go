package live

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/wording"
)

// outcomes are how boots ended, by outcome and code, with the latest of each.
type outcomes struct {
	started time.Time
	groups  map[ending]*group
}

type ending struct {
	outcome device.Outcome
	code    provisioning.Code
}

// group is the boots of one ending. Those that nobody expected are kept beside the
// others, so that no crowd of good ones drives them out.
type group struct {
	count, unexpected int
	bad, good         ring
}

const (
	maxGroups = 24
	// otherCode stands for those beyond: a webhook may invent codes.
	otherCode = provisioning.Code(-1)

	maxName, maxSentence = 120, 300
)

func newOutcomes(started time.Time) *outcomes {
	return &outcomes{started: started, groups: make(map[ending]*group)}
}

func (o *outcomes) add(b *metrics.Boot) {
	g := o.of(ending{b.Outcome, b.Code})
	g.count++
	if b.Met {
		g.good.add(b)
		return
	}
	g.unexpected++
	g.bad.add(b)
}

func (o *outcomes) of(key ending) *group {
	if key.code != 0 && key.code.Name() == "" {
		key.code = otherCode
	}
	if o.groups[key] == nil && len(o.groups) >= maxGroups {
		key.code = otherCode
	}
	if o.groups[key] == nil {
		o.groups[key] = &group{bad: newRing(5), good: newRing(2)}
	}
	return o.groups[key]
}

// ring is the latest few boots, as much of each as the page says.
type ring struct {
	kept []example
	next int
}

type example struct {
	id, fleet, hub, told, unmet string
	at                          time.Time
	took                        metrics.Millis
	assigned                    bool
}

func newRing(n int) ring { return ring{kept: make([]example, 0, n)} }

func (r *ring) add(b *metrics.Boot) {
	e := example{
		id: bounded(b.ID), fleet: bounded(b.Fleet), hub: bounded(b.Hub), told: bounded(b.Error), unmet: bounded(b.Unmet),
		at: b.Due.Add(b.Took().Duration()), took: b.Took(), assigned: b.Outcome == device.OutcomeAssigned,
	}
	if len(r.kept) < cap(r.kept) {
		r.kept = append(r.kept, e)
		return
	}
	r.kept[r.next] = e
	r.next = (r.next + 1) % len(r.kept)
}

// bounded is text that keeps no larger one alive.
func bounded(text string) string {
	if len(text) <= maxSentence {
		return text
	}
	return strings.Clone(text[:maxSentence]) + "…"
}

// shown is text from the wire as the page may have it: printable, and in so many
// runes.
func shown(text string, most int) string {
	runes := []rune(wording.Printable(bounded(text)))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

type outcomeJSON struct {
	Outcome    string        `json:"outcome"`
	Code       string        `json:"code,omitempty"`
	Count      int           `json:"count"`
	Unexpected int           `json:"unexpected"`
	Examples   []exampleJSON `json:"examples"`
}

type exampleJSON struct {
	ID       string  `json:"id"`
	Fleet    string  `json:"fleet"`
	At       float64 `json:"at"` // seconds since the run's start
	Sentence string  `json:"sentence"`
	Met      bool    `json:"met"`
}

// json has what nobody expected first. The order is one that counts do not change
// all the time, since somebody reads.
func (o *outcomes) json() []outcomeJSON {
	out := make([]outcomeJSON, 0, len(o.groups))
	for key, g := range o.groups {
		one := outcomeJSON{Outcome: string(key.outcome), Code: codeName(key.code), Count: g.count, Unexpected: g.unexpected}
		one.Examples = append(g.bad.json(o.started, false), g.good.json(o.started, true)...)
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b outcomeJSON) int {
		return cmp.Or(cmp.Compare(min(b.Unexpected, 1), min(a.Unexpected, 1)),
			cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Code, b.Code))
	})
	return out
}

func codeName(c provisioning.Code) string {
	switch c {
	case 0:
		return ""
	case otherCode:
		return "other codes"
	}
	return c.String()
}

// json is the latest first.
func (r *ring) json(started time.Time, met bool) []exampleJSON {
	out := make([]exampleJSON, 0, len(r.kept))
	for i := range r.kept {
		e := &r.kept[(r.next+len(r.kept)-1-i)%len(r.kept)]
		out = append(out, exampleJSON{
			ID: shown(e.id, maxName), Fleet: shown(e.fleet, maxName), At: e.at.Sub(started).Seconds(),
			Sentence: shown(e.sentence(), maxSentence), Met: met,
		})
	}
	return out
}

func (e *example) sentence() string {
	switch {
	case e.unmet != "" && e.told != "":
		return e.unmet + ": " + e.told
	case e.unmet != "":
		return e.unmet
	case e.told != "":
		return e.told
	case e.assigned && e.hub != "":
		return "at " + e.hub + " after " + e.took.String()
	}
	return "over after " + e.took.String()
}
