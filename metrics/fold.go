package metrics

import (
	"slices"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// Fold is what else the goroutine that owns a [Collector] feeds, such as metrics
// for Prometheus or a live page. Nil members are nobody, and cost nothing.
//
// What a member gets is the collector's: it reads and copies, it keeps and
// changes nothing, and it does not block, because the devices wait meanwhile.
type Fold struct {
	Start    func(RunInfo) // before the first event
	Event    func(*device.Event)
	Exchange func(*provisioning.Exchange)
	Boot     func(*Boot) // each boot once, judged, as it ends
	// Tick comes ten times a second while the run is on, and when its last boot
	// has ended. It may ask the collector for more.
	Tick func(Progress, *Collector)
	End  func(Report) // once, after all else
}

type folds []Fold

func (fs folds) start(info RunInfo) {
	for i := range fs {
		if f := fs[i].Start; f != nil {
			f(info)
		}
	}
}

func (fs folds) event(e *device.Event) {
	for i := range fs {
		if f := fs[i].Event; f != nil {
			f(e)
		}
	}
}

// hearEvents reports whether anybody wants them.
func (fs folds) hearEvents() bool {
	return slices.ContainsFunc(fs, func(f Fold) bool { return f.Event != nil })
}

// What a func gets by its address is allocated, so there is a copy for each that
// there is.

func (fs folds) exchange(x provisioning.Exchange) {
	for i := range fs {
		if f := fs[i].Exchange; f != nil {
			its := x
			f(&its)
		}
	}
}

func (fs folds) boot(b *Boot) {
	for i := range fs {
		if f := fs[i].Boot; f != nil {
			f(b)
		}
	}
}

func (fs folds) tick(p Progress, c *Collector) {
	for i := range fs {
		if f := fs[i].Tick; f != nil {
			f(p, c)
		}
	}
}

func (fs folds) end(r Report) {
	for i := range fs {
		if f := fs[i].End; f != nil {
			f(r)
		}
	}
}
