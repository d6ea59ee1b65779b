package prom

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"dpsfleet/metrics"
)

// OpenMetrics writes the run that a log holds as Prometheus would have scraped it,
// in the format that `promtool tsdb create-blocks-from openmetrics` reads. A log
// holds boots as they ended: what was on in between, devices by stage and boots
// that had begun, it cannot tell, nor what DPS and the hubs served.
func OpenMetrics(w io.Writer, log string) error {
	b := newBackfill()
	report, err := metrics.ReportLog(log, b.fold())
	if err != nil {
		return err
	}
	if err := b.close(report); err != nil {
		return err
	}
	return b.write(w)
}

const (
	// A scrape a second is what prometheus.yml has. Of a run that is longer than
	// so many, every second one is left out, and again.
	firstStep  = time.Second
	maxScrapes = 600
)

// backfill scrapes a run that is folded again, by the clock of its log.
type backfill struct {
	m       *Metrics
	began   time.Time
	last    time.Time // boot's end, so far
	step    time.Duration
	scrapes []scrape
	err     error
}

type scrape struct {
	at       time.Time
	families []*dto.MetricFamily
}

func newBackfill() *backfill {
	m := newMetrics()
	m.registry.Unregister(m.run.begun)
	return &backfill{m: m, step: firstStep}
}

func (b *backfill) fold() metrics.Fold {
	live := b.m.Fold()
	return metrics.Fold{
		Start: func(info metrics.RunInfo) {
			b.began = info.Started
			live.Start(info)
		},
		Boot: func(boot *metrics.Boot) {
			b.until(boot)
			live.Boot(boot)
			for _, a := range boot.Allocations {
				b.m.webhook(a.Status, a.Took.Duration())
			}
		},
		End: live.End,
	}
}

// until scrapes as often as was due before the boot ended. Lines are in the order
// in which boots ended, nearly; one that comes late counts from the next scrape.
func (b *backfill) until(boot *metrics.Boot) {
	if b.began.IsZero() {
		b.began = boot.Due
	}
	ended := boot.Due.Add(boot.Took().Duration())
	for ended.Sub(b.began)/b.step > maxScrapes {
		b.thin()
	}
	for next := b.next(); !next.After(ended); next = b.next() {
		b.scrape(next)
	}
	if ended.After(b.last) {
		b.last = ended
	}
}

func (b *backfill) next() time.Time {
	return b.began.Add(time.Duration(len(b.scrapes)) * b.step)
}

func (b *backfill) scrape(at time.Time) {
	families, err := b.m.registry.Gather()
	if err != nil {
		b.err = err
	}
	b.scrapes = append(b.scrapes, scrape{at, families})
}

// thin keeps every second scrape.
func (b *backfill) thin() {
	kept := b.scrapes[:0]
	for i := 0; i < len(b.scrapes); i += 2 {
		kept = append(kept, b.scrapes[i])
	}
	clear(b.scrapes[len(kept):])
	b.scrapes = kept
	b.step *= 2
}

// close scrapes once more, after the end.
func (b *backfill) close(r metrics.Report) error {
	end := b.last
	if r.Run.Ended != nil && r.Run.Ended.After(end) && r.Run.Ended.Before(end.Add(b.step*maxScrapes)) {
		end = *r.Run.Ended
	}
	if n := len(b.scrapes); n > 0 && !end.After(b.scrapes[n-1].at) {
		end = b.scrapes[n-1].at.Add(time.Millisecond)
	}
	b.scrape(end.Add(time.Millisecond))
	if b.err != nil {
		return fmt.Errorf("turning the log into metrics: %w", b.err)
	}
	return nil
}

// write writes family by family and series by series, in the order of time within
// a series, as the format wants it.
func (b *backfill) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, family := range b.families() {
		if _, err := expfmt.MetricFamilyToOpenMetrics(out, family); err != nil {
			return fmt.Errorf("writing the metrics: %w", err)
		}
	}
	_, err := expfmt.FinalizeOpenMetrics(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the metrics: %w", err)
	}
	return nil
}

// families are those of the last scrape, which has them all, each series with its
// values at every scrape.
func (b *backfill) families() []*dto.MetricFamily {
	values := make(map[string][]*dto.Metric)
	for _, s := range b.scrapes {
		at := s.at.UnixMilli()
		for _, family := range s.families {
			for _, metric := range family.Metric {
				metric.TimestampMs = &at
				key := series(family, metric)
				values[key] = append(values[key], metric)
			}
		}
	}
	all := b.scrapes[len(b.scrapes)-1].families
	for _, family := range all {
		last := family.Metric
		family.Metric = nil
		for _, metric := range last {
			family.Metric = append(family.Metric, values[series(family, metric)]...)
		}
	}
	return all
}

func series(family *dto.MetricFamily, metric *dto.Metric) string {
	var key strings.Builder
	key.WriteString(family.GetName())
	for _, label := range metric.Label {
		key.WriteString("\x00" + label.GetName() + "\x00" + label.GetValue())
	}
	return key.String()
}
