package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// maxBadLines bounds the lines of a log that are complained about one by one.
const maxBadLines = 5

// ReportLog reports a run from its log through the folds of the run itself. What
// it cannot know, because X.run.json or the end of the log is missing, it says
// in the report's notes. The error is that the log cannot be read at all, or
// X.run.json is not one. Folds are fed as in the run, but for the ticks; a boot
// follows the other as its line does.
func ReportLog(path string, fed ...Fold) (Report, error) {
	_, r, err := foldLog(path, fed...)
	return r, err
}

func foldLog(path string, fed ...Fold) (*Collector, Report, error) {
	info, err := ReadRun(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, Report{}, err
	}
	c, err := NewCollector(info, nil, fed...)
	if err != nil {
		return nil, Report{}, fmt.Errorf("%s: %w", runPath(path), err)
	}
	c.rec = nil // the log holds none of the cloud's verdicts; X.run.json holds the result
	c.trusting = missing
	last, notes, err := c.replay(path)
	if errors.Is(err, fs.ErrNotExist) && !missing {
		return nil, Report{}, fmt.Errorf("%w; of the run only %s is left, which says %s; its boots are not known", err, runPath(path), info.summary())
	}
	if err != nil {
		return nil, Report{}, err
	}
	end := info.End
	end.Notes = append(notes, end.Notes...)
	switch {
	case missing:
		end.Notes = append(end.Notes, "without "+runPath(path)+" the scenario, its thresholds, the generator's health and the reconciliation are not known")
		if len(notes) > 0 { // the boots that it lacks may have failed
			end.Faults = append(end.Faults, "the log is not whole, and without "+runPath(path)+" nothing says what it lacks")
		}
	case info.Ended == nil:
		end.Interrupted = true
		end.Notes = append(end.Notes, "the run was killed: boots that had not ended are not in the log, and the cloud was not asked")
	default:
		last = *info.Ended
	}
	r := c.report(last, end, info.Reconciliation)
	r.Log = path
	return c, r, nil
}

// summary is the verdict of a run as a sentence has it.
func (info RunInfo) summary() string {
	if info.Ended == nil {
		return "that it did not end"
	}
	return fmt.Sprintf("%s on %s", info.Verdict, info.Ended.UTC().Format(time.RFC3339))
}

// replay folds the log again. It returns the end of the last boot and sentences
// on lines that it could not read.
func (c *Collector) replay(path string) (last time.Time, notes []string, err error) {
	boots, bad := 0, 0
	var first error
	for b, err := range ReadLog(path) {
		if err != nil {
			if bad++; bad <= maxBadLines {
				notes = append(notes, err.Error())
			}
			if first == nil {
				first = err
			}
			continue
		}
		boots++
		if c.trusting {
			c.recorded = b
			if c.info.Started.IsZero() || b.Due.Before(c.info.Started) {
				c.info.Started = b.Due
			}
		}
		c.refold(b)
		if ended := b.Due.Add(b.Took().Duration()); ended.After(last) {
			last = ended
		}
	}
	if boots == 0 && bad > 0 {
		return last, nil, first
	}
	if bad > maxBadLines {
		notes = append(notes, fmt.Sprintf("%s: %d lines more are not boots", path, bad-maxBadLines))
	}
	return last, notes, nil
}

// refold sends the events and exchanges of a boot through the folds. Exchanges
// belong to a boot that has begun, so they follow its first event, and if that
// is its only one, it had none.
func (c *Collector) refold(b Boot) {
	events := b.Events()
	last := len(events) - 1
	for _, e := range events[:last] {
		c.Event(e)
	}
	for _, x := range b.Exchanges() {
		c.Exchange(x)
	}
	c.Event(events[last])
}
