package allocation

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ChangeKind is what differs between two recordings for a device.
type ChangeKind string

// The kinds, in the order in which they are told.
const (
	NowFails       ChangeKind = "now-fails"
	NoLongerFails  ChangeKind = "no-longer-fails"
	FailsOtherwise ChangeKind = "fails-otherwise"
	Moves          ChangeKind = "moves"
	TwinChanges    ChangeKind = "twin-changes" // the initial twin's desired properties or tags
	PayloadChanges ChangeKind = "payload-changes"
	OnlyInFirst    ChangeKind = "only-in-first"
	OnlyInSecond   ChangeKind = "only-in-second"
)

// ChangeKinds lists them.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{NowFails, NoLongerFails, FailsOtherwise, Moves, TwinChanges, PayloadChanges, OnlyInFirst, OnlyInSecond}
}

// Difference is what became otherwise from one recording to another. A device
// counts once in each kind that holds of it.
type Difference struct {
	First  RecordingInfo `json:"first"`
	Second RecordingInfo `json:"second"`
	// Devices are those in each, Same those without any change, and Differing
	// those with one that is not an allowed move.
	Devices   [2]int             `json:"devices"`
	Same      int                `json:"same"`
	Differing int                `json:"differing"`
	Counts    map[ChangeKind]int `json:"counts"`
	Moves     []Move             `json:"moves,omitempty"` // most devices first
	Changes   []Change           `json:"changes,omitempty"`
	// Notes are sentences on what could not be read.
	Notes []string `json:"notes,omitempty"`
}

// Move is how many devices go from one hub to another.
type Move struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Count   int    `json:"count"`
	Allowed bool   `json:"allowed,omitempty"`
}

// Change is one device's.
type Change struct {
	RegistrationID string     `json:"registrationId"`
	Kind           ChangeKind `json:"change"`
	From           string     `json:"from,omitempty"` // a hub, or how it fails
	To             string     `json:"to,omitempty"`
	// Values are the members of twin or payload that differ, the first ten.
	Values []ValueChange `json:"values,omitempty"`
	More   int           `json:"more,omitempty"` // so many beside
}

// ValueChange is a member of JSON that differs; where there is none it is empty.
type ValueChange struct {
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// DiffOptions say what to tell of a difference.
type DiffOptions struct {
	// AllowMoved are globs on hubs that a device may move to, as *-new-*.
	AllowMoved []string
	// Examples bounds the changes told of each kind; 0 is 20, less is all.
	Examples int
}

// Check says what is wrong with the globs.
func (o DiffOptions) Check() error {
	for _, glob := range o.AllowMoved {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("%q is no pattern of hub names, as *-new-* is", glob)
		}
	}
	return nil
}

// Diff compares two recordings by registration id: a device's last call decides.
// It holds some hundred bytes of a device, so a million fit.
func Diff(ctx context.Context, first, second string, opts DiffOptions) (Difference, error) {
	if err := opts.Check(); err != nil {
		return Difference{}, err
	}
	d := newDiffer(opts)
	a, err := d.read(ctx, first)
	if err != nil {
		return Difference{}, err
	}
	b, err := d.read(ctx, second)
	if err != nil {
		return Difference{}, err
	}
	result := Difference{
		First: a.info, Second: b.info,
		Devices: [2]int{len(a.found), len(b.found)},
		Counts:  map[ChangeKind]int{},
		Notes:   slices.Concat(a.notes(), b.notes()),
	}
	changes := d.compare(a, b, &result)
	result.Changes, err = d.tell(ctx, changes, first, second)
	return result, err
}

// change is one device's change of one kind.
type change struct {
	key   uint64
	kind  ChangeKind
	order uint32
}

// compare counts what changed, and returns what is to be told of it.
func (d *differ) compare(a, b *side, result *Difference) []change {
	t := tally{differ: d, result: result}
	moves := map[[2]uint32]int{}
	for key, was := range a.found {
		is, there := b.found[key]
		kinds := []ChangeKind{OnlyInFirst}
		if there {
			kinds = was.changes(is)
		}
		if slices.Contains(kinds, Moves) {
			moves[[2]uint32{was.hub, is.hub}]++
		}
		t.add(change{key: key, order: was.order}, kinds, is.hub)
	}
	for key, is := range b.found {
		if _, there := a.found[key]; !there {
			t.add(change{key: key, order: uint32(len(a.found)) + is.order}, []ChangeKind{OnlyInSecond}, 0)
		}
	}
	for move, n := range moves {
		result.Moves = append(result.Moves, Move{d.names.text(move[0]), d.names.text(move[1]), n, d.allowed(move[1])})
	}
	slices.SortFunc(result.Moves, func(x, y Move) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To))
	})
	return d.examples(t.changes)
}

// tally counts changes and gathers those that may be told.
type tally struct {
	*differ
	result  *Difference
	changes []change
}

// add takes what changed of one device, which is at the hub to now.
func (t *tally) add(c change, kinds []ChangeKind, to uint32) {
	if len(kinds) == 0 {
		t.result.Same++
		return
	}
	differs := false
	for _, kind := range kinds {
		t.result.Counts[kind]++
		allowed := kind == Moves && t.allowed(to)
		differs = differs || !allowed
		if allowed && t.opts.Examples >= 0 {
			continue // it was asked not to matter
		}
		c.kind = kind
		t.changes = append(t.changes, c)
	}
	if differs {
		t.result.Differing++
	}
}

// allowed reports whether devices may move to a hub.
func (d *differ) allowed(hub uint32) bool {
	name := strings.ToLower(d.names.text(hub))
	return slices.ContainsFunc(d.opts.AllowMoved, func(glob string) bool {
		ok, _ := path.Match(strings.ToLower(glob), name)
		return ok
	})
}

// examples are the first changes of each kind, in the order of the recordings.
func (d *differ) examples(changes []change) []change {
	kinds := ChangeKinds()
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.kind), slices.Index(kinds, b.kind)), cmp.Compare(a.order, b.order), cmp.Compare(a.key, b.key))
	})
	most := cmp.Or(d.opts.Examples, 20)
	if most < 0 {
		return changes
	}
	seen := map[ChangeKind]int{}
	return slices.DeleteFunc(changes, func(c change) bool {
		seen[c.kind]++
		return seen[c.kind] > most
	})
}
