package live

import (
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// Fold feeds the page from a run. Where runs follow one another the page shows the
// latest.
func (p *Page) Fold() metrics.Fold {
	f := &fold{page: p}
	return metrics.Fold{Start: f.start, Event: f.event, Boot: f.boot, Tick: f.tick, End: f.end}
}

// fold is used by the recorder's goroutine alone.
type fold struct {
	page     *Page
	info     metrics.RunInfo
	series   *series
	hubs     *hubs
	outcomes *outcomes
	at       metrics.Progress
	next     time.Time // when the next snapshot may be made
	last     snapshot
	vitals   metrics.Vitals // as of the last snapshot
	// collector is whose ticks come.
	collector *metrics.Collector
}

const (
	snapshotEvery = time.Second
	// Thresholds and percentiles come from histograms that are large: a snapshot
	// that took long is followed by a pause that is this many times as long, so that
	// snapshots never take more than 2 % of a core, unless one took a fifth of a
	// second: then somebody else has the core.
	restFor  = 50
	mostRest = 10 * time.Second
)

func (f *fold) start(info metrics.RunInfo) {
	f.info = info
	f.series = newSeries(info.Started)
	f.hubs = newHubs(info.Hubs)
	f.outcomes = newOutcomes(info.Started)
	f.at = metrics.Progress{}
	f.next, f.collector = time.Time{}, nil
	f.publish()
}

// event counts arrivals: the time in Off is how late a device is.
func (f *fold) event(e *device.Event) {
	if e.From == device.Off {
		f.series.arrived(e.At.Add(-e.In), e.At, e.To != device.Dropped)
	}
}

func (f *fold) boot(b *metrics.Boot) {
	f.outcomes.add(b)
	if b.Outcome == device.OutcomeAssigned {
		f.hubs.add(b.Hub)
	}
}

func (f *fold) tick(p metrics.Progress, c *metrics.Collector) {
	f.at, f.collector = p, c
	f.series.look(f.info.Started.Add(p.Elapsed), p.Stages)
	now := time.Now()
	if f.page.watched.Load() == 0 || now.Before(f.next) {
		return
	}
	f.publish()
	f.next = now.Add(min(max(snapshotEvery, restFor*time.Since(now)), mostRest))
}

// end shows how it came out, whether anybody looks or not: somebody may yet.
func (f *fold) end(r metrics.Report) {
	f.last = f.snapshot()
	f.last.Series = f.series.json(true)
	if f.collector != nil {
		f.last.Points = pointsOf(f.collector.Points(finestPoint))
	}
	f.last.end(r)
	f.last.send(f.page)
}

func (f *fold) publish() {
	f.last = f.snapshot()
	if f.collector != nil {
		f.last.judge(f.collector)
	}
	f.last.send(f.page)
}
