package metrics

import (
	"cmp"
	"slices"
	"time"

	"dpsfleet/device"
)

// fleetFold folds the boots of one fleet; one of its own for the whole run is
// merged from the fleets' when asked for.
type fleetFold struct {
	name       string
	due, ended int
	stages     Stages
	outcomes   map[device.Outcome]int
	unexpected int
	places     map[place]*Place
	dists      [metricCount]dist
	total      dist // whole boots, for the generator's health
	// When the first boot was due that was dropped, and the first that started late.
	firstDropped, firstLate time.Time
	judge                   *judge
}

type place struct {
	name    string
	outcome device.Outcome
}

// maxPlaces bounds the distinct hubs and codes that are counted: a webhook may
// invent a hub for every device.
const (
	maxPlaces  = 100
	otherPlace = "other"
)

func newFleetFold(name string, j *judge) *fleetFold {
	return &fleetFold{name: name, judge: j, outcomes: make(map[device.Outcome]int), places: make(map[place]*Place)}
}

func (f *fleetFold) add(b *Boot) {
	f.ended++
	f.outcomes[b.Outcome]++
	f.addPlace(b)
	if !b.Met {
		f.unexpected++
	}
	if b.Outcome == device.OutcomeDropped {
		f.firstDropped = earliest(f.firstDropped, b.Due)
	}
	if b.Lateness() > Millis(leastLate) {
		f.firstLate = earliest(f.firstLate, b.Due)
	}
	if b.Outcome != device.OutcomeDropped {
		f.total.add(micros(b.Took()))
		f.addTimes(b)
	}
}

// addTimes counts a stage once a boot, however often the boot was in it: the
// sum is what the boot lost there.
func (f *fleetFold) addTimes(b *Boot) {
	in, was := b.inStages(false)
	f.dists[metricLateness].add(micros(b.Lateness()))
	for stage := device.Dialing; int(stage) < len(in); stage++ {
		if m, ok := stageMetric(stage); ok && was[stage] {
			f.dists[m].add(micros(in[stage]))
		}
	}
	if resumed, any := b.inStages(true); any[device.Securing] || any[device.Joining] {
		f.addResumed(resumed, any)
	}
	if took, ok := b.TimeToAssigned(); ok {
		f.dists[metricTimeToAssigned].add(micros(took))
	}
	if took, ok := b.TimeToOnline(); ok {
		f.dists[metricTimeToOnline].add(micros(took))
	}
	for _, a := range b.Allocations {
		f.dists[metricWebhook].add(micros(a.Took))
	}
	f.dists[metricPolls].add(int64(b.Polls))
	f.dists[metricRetries].add(int64(b.Retries))
}

func (f *fleetFold) addResumed(in [len(Stages{})]Millis, was [len(Stages{})]bool) {
	for _, stage := range []device.Stage{device.Securing, device.Joining} {
		if was[stage] {
			f.dists[resumedMetric(stage)].add(micros(in[stage]))
		}
	}
}

func (f *fleetFold) addPlace(b *Boot) {
	key := place{placeName(b), b.Outcome}
	if f.places[key] == nil && len(f.places) >= maxPlaces {
		key.name = otherPlace
	}
	p := f.places[key]
	if p == nil {
		p = &Place{Name: key.name, Outcome: key.outcome}
		f.places[key] = p
	}
	p.Count++
	if !b.Met {
		p.Unexpected++
	}
}

// placeName is where a boot ended: at its hub, or why not. A hub that it was
// sent to and did not reach is not where it is.
func placeName(b *Boot) string {
	switch {
	case b.Outcome == device.OutcomeAssigned, b.Outcome == device.OutcomeHubNotDeclared:
		return b.Hub
	case b.Code != 0:
		return b.Code.String()
	}
	return string(b.Outcome)
}

// merge adds the fleets into one for the whole run, all that a report needs.
func merge(fleets []*fleetFold) *fleetFold {
	all := mergeCounts(fleets)
	for _, f := range fleets {
		for i := range f.dists {
			all.dists[i].merge(&f.dists[i])
		}
		all.total.merge(&f.total)
	}
	return all
}

// mergeFor adds up what one threshold is about: histograms are large, and a run
// looks at the thresholds that may end it ten times a second.
func mergeFor(t Threshold, fleets []*fleetFold) *fleetFold {
	all := mergeCounts(fleets)
	if m, ok := metricNamed(t.metric); ok {
		for _, f := range fleets {
			all.dists[m].merge(&f.dists[m])
		}
	}
	return all
}

func mergeCounts(fleets []*fleetFold) *fleetFold {
	all := newFleetFold("", nil)
	for _, f := range fleets {
		all.due += f.due
		all.ended += f.ended
		all.unexpected += f.unexpected
		all.firstDropped, all.firstLate = earliest(all.firstDropped, f.firstDropped), earliest(all.firstLate, f.firstLate)
		for outcome, n := range f.outcomes {
			all.outcomes[outcome] += n
		}
	}
	return all
}

// earliest is the first of two times; a zero one is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (f *fleetFold) report() FleetReport {
	places := make([]Place, 0, len(f.places))
	for _, p := range f.places {
		places = append(places, *p)
	}
	slices.SortFunc(places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Outcome, b.Outcome))
	})
	return FleetReport{
		Name:       f.name,
		Due:        f.due,
		Outcomes:   f.outcomes,
		Unexpected: f.unexpected,
		Places:     places,
		Times:      f.times(),

		Retries:     f.dists[metricRetries].sum,
		MostRetries: f.dists[metricRetries].max,
	}
}

// times are those durations that have values.
func (f *fleetFold) times() []Times {
	var all []Times
	for m := range metricCount {
		if m.duration() && f.dists[m].n > 0 {
			all = append(all, f.dists[m].times(m.String()))
		}
	}
	return all
}

func micros(m Millis) int64 { return int64(m) / int64(time.Microsecond) }

// counter is the value of a metric that is only counted.
func (f *fleetFold) counter(name string) int {
	switch name {
	case counterBoots:
		return f.ended
	case counterUnexpected:
		return f.unexpected
	}
	return f.outcomes[device.Outcome(name)]
}
