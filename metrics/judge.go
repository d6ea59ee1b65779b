package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"dpsfleet/provisioning"
)

// judge holds the boots of one fleet against its expectations.
type judge struct {
	expect []*expected
	ours   bool
	all    string // the expectations as one text, for boots that meet none
}

// expected is an expectation made ready, and how many boots met it.
type expected struct {
	Expectation
	text    string
	hub     string
	share   Threshold
	objects []*wanted
	met     int
}

func newJudge(es Expectations, ours bool) (*judge, error) {
	if len(es) == 0 {
		es = Expectations{{}}
	}
	j := &judge{ours: ours}
	var errs []error
	var texts []string
	for i, e := range es {
		if err := e.Check(); err != nil {
			errs = append(errs, fmt.Errorf("expectation %d: %w", i+1, err))
			continue
		}
		x := prepare(e, ours)
		j.expect = append(j.expect, x)
		texts = append(texts, x.text)
	}
	j.all = strings.Join(texts, "; or ")
	return j, errors.Join(errs...)
}

// prepare makes an expectation that was checked ready.
func prepare(e Expectation, ours bool) *expected {
	x := &expected{Expectation: e, text: e.String(), hub: strings.ToLower(e.Hub)}
	x.share, _ = parseShare(e.Share)
	x.want("desired", e.Desired, func(b *Boot) json.RawMessage { return b.Desired })
	x.want("payload", e.Payload, func(b *Boot) json.RawMessage { return b.Payload })
	if ours {
		x.want("tags", e.Tags, func(b *Boot) json.RawMessage { return b.Tags })
	}
	return x
}

func (x *expected) want(name string, raw json.RawMessage, of func(*Boot) json.RawMessage) {
	if len(raw) > 0 {
		x.objects = append(x.objects, &wanted{name: name, value: provisioning.Meaning(raw), of: of})
	}
}

// judge says of a boot which expectation it met, or why none. It counts for the
// first that it meets; of those that it missed, the reason is that of the one
// that it came furthest with.
func (j *judge) judge(b *Boot) {
	best := -1
	for _, x := range j.expect {
		passed, why := x.missed(b)
		if why == "" {
			x.met++
			b.Met, b.Expected, b.Unmet = true, x.text, ""
			return
		}
		if passed > best {
			best, b.Unmet = passed, why
		}
	}
	b.Met, b.Expected = false, j.all
	b.Unmet = text(b.Unmet)
}

// missed is how many conditions held before the first that did not, and that
// one; empty if all did.
func (x *expected) missed(b *Boot) (passed int, why string) {
	if o := x.outcome(); o != "" && b.Outcome != o {
		return 0, "it ended " + ending(b) + ", not " + string(o)
	}
	if x.Code != 0 && b.Code != provisioning.Code(x.Code) {
		return 1, "it ended " + ending(b) + ", not with " + provisioning.Code(x.Code).String()
	}
	if x.hub != "" && !matches(x.hub, b.Hub) {
		return 1, "its hub is " + orNone(b.Hub) + ", not " + x.Hub
	}
	for i, object := range x.objects {
		if why := object.missed(object.of(b)); why != "" {
			return 2 + i, why
		}
	}
	return 0, ""
}

// ending is how a boot ended, with its code.
func ending(b *Boot) string {
	if b.Code == 0 {
		return string(b.Outcome)
	}
	return string(b.Outcome) + " with " + b.Code.String()
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// matches compares as DNS does, whatever the case.
func matches(glob, hub string) bool {
	ok, _ := path.Match(glob, strings.ToLower(hub))
	return ok
}

// results are what became of each expectation. Where there was no boot there was
// nothing to judge by.
func (j *judge) results(f *fleetFold) []ExpectationResult {
	results := make([]ExpectationResult, 0, len(j.expect))
	for _, x := range j.expect {
		passed := f.ended > 0
		if x.Share != "" && passed {
			passed = x.share.holds(100 * float64(x.met) / float64(f.ended))
		}
		results = append(results, ExpectationResult{
			Fleet:         f.name,
			Expectation:   x.text,
			Share:         x.Share,
			Met:           x.met,
			Of:            f.ended,
			Passed:        passed,
			TagsUnchecked: len(x.Tags) > 0 && !j.ours,
		})
	}
	return results
}

// allows reports whether a fleet may have boots that met none: where its one
// expectation has a share, that says how many.
func (j *judge) allows() bool { return len(j.expect) == 1 && j.expect[0].Share != "" }
