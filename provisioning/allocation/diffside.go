package allocation

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"

	"dpsfleet/provisioning"
)

// differ compares recordings. What it remembers of a device are numbers.
type differ struct {
	opts    DiffOptions
	webhook *Webhook // judges, and calls nobody
	names   names
	seed    maphash.Seed
	hashes  map[string]uint64 // of JSON that came before
}

func newDiffer(opts DiffOptions) *differ {
	return &differ{
		opts:    opts,
		webhook: &Webhook{client: &Client{}},
		names:   names{numbers: map[string]uint32{"": 0}, texts: []string{""}},
		seed:    maphash.MakeSeed(),
		hashes:  map[string]uint64{},
	}
}

// names gives texts that come often, hubs and endings, a number; 0 is none.
type names struct {
	numbers map[string]uint32
	texts   []string
}

func (n *names) number(text string) uint32 {
	i, known := n.numbers[text]
	if !known {
		i = uint32(len(n.texts))
		n.numbers[text] = i
		n.texts = append(n.texts, text)
	}
	return i
}

func (n *names) text(i uint32) string { return n.texts[i] }

// outcome is what became of a device: a hub, or an ending.
type outcome struct {
	order         uint32
	hub, ending   uint32
	twin, payload uint64 // hashes by meaning; 0 is none
}

// changes are what differs from was to is.
func (was outcome) changes(is outcome) []ChangeKind {
	switch {
	case was.hub == 0 && is.hub == 0 && was.ending != is.ending:
		return []ChangeKind{FailsOtherwise}
	case was.hub == 0 && is.hub == 0:
		return nil
	case is.hub == 0:
		return []ChangeKind{NowFails}
	case was.hub == 0:
		return []ChangeKind{NoLongerFails}
	}
	var kinds []ChangeKind
	if was.hub != is.hub {
		kinds = append(kinds, Moves)
	}
	if was.twin != is.twin {
		kinds = append(kinds, TwinChanges)
	}
	if was.payload != is.payload {
		kinds = append(kinds, PayloadChanges)
	}
	return kinds
}

// side is one of the recordings.
type side struct {
	info  RecordingInfo
	found map[uint64]outcome
	bad   int
	first error // of the lines that could not be read
}

func (d *differ) read(ctx context.Context, path string) (*side, error) {
	info, err := ReadRecordingInfo(path)
	if err != nil {
		return nil, err
	}
	s := &side{info: info, found: map[uint64]outcome{}}
	for call, err := range ReadRecording(path) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			if s.bad++; s.first == nil {
				s.first = err
			}
			continue
		}
		key := d.key(call)
		o := d.outcome(d.judge(call))
		o.order = uint32(len(s.found))
		if earlier, again := s.found[key]; again {
			o.order = earlier.order
		}
		s.found[key] = o
	}
	return s, nil
}

func (s *side) notes() []string {
	switch s.bad {
	case 0:
		return nil
	case 1:
		return []string{s.first.Error()}
	}
	return []string{fmt.Sprintf("%v; and %d lines more that cannot be read", s.first, s.bad-1)}
}

// judge is what DPS would have made of a call, were it the last one.
func (d *differ) judge(call Recorded) Verdict {
	v := d.webhook.judge(call.Answer(), call.Asked().LinkedHubs)
	v.Status = call.Status
	return v
}

func (d *differ) outcome(v Verdict) outcome {
	if v.Hub == "" {
		return outcome{ending: d.names.number(ending(v))}
	}
	o := outcome{hub: d.names.number(strings.ToLower(v.Hub)), payload: d.hash(v.Payload)}
	if twin := v.InitialTwin; twin != nil {
		o.twin = d.hash(twin.Properties.Desired)*31 + d.hash(twin.Tags)
	}
	return o
}

// ending is what a device is told, and what the webhook answered.
func ending(v Verdict) string {
	if v.Status == 0 {
		return v.Code.String() + ", no answer"
	}
	return v.Code.String() + ", HTTP " + strconv.Itoa(v.Status)
}

// key stands for a device.
func (d *differ) key(call Recorded) uint64 {
	return maphash.String(d.seed, provisioning.SameID(call.RegistrationID))
}
