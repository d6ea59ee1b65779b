package metrics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ShardNote ends the note that a shard's report has and the whole run's has not.
const ShardNote = "dpsfleet report with the logs of all of them reports it whole"

// AreShards reports whether the logs are those of different shards of one run.
func AreShards(paths []string) bool {
	infos, err := readRuns(paths)
	return err == nil && sameRun(infos) == nil
}

// ReportShards reports the logs of a run's shards as the one run that they are:
// the boots of all go through one fold, in which every figure is what one
// machine's would have been. What is of a machine, such as boots in flight, is
// added up or the worst of them.
func ReportShards(paths []string, fed ...Fold) (Report, error) {
	infos, err := readRuns(paths)
	if err != nil {
		return Report{}, err
	}
	if err := sameRun(infos); err != nil {
		return Report{}, err
	}
	c, err := NewCollector(mergeRuns(infos), nil, fed...)
	if err != nil {
		return Report{}, err
	}
	c.rec = nil // as in ReportLog
	end := c.info.End
	var ended time.Time
	for i, path := range paths {
		last, notes, err := c.replay(path)
		if err != nil {
			return Report{}, err
		}
		end.Notes = append(end.Notes, notes...)
		if infos[i].Ended == nil {
			end.Interrupted = true
			end.Notes = append(end.Notes, fmt.Sprintf("shard %s was killed: boots that had not ended are not in its log", infos[i].shardName()))
		} else {
			last = *infos[i].Ended
		}
		if last.After(ended) {
			ended = last
		}
	}
	r := c.report(ended, end, c.info.Reconciliation)
	r.Log = strings.Join(paths, ", ")
	return r, nil
}

func readRuns(paths []string) ([]RunInfo, error) {
	infos := make([]RunInfo, len(paths))
	var err error
	for i, path := range paths {
		if infos[i], err = ReadRun(path); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

// sameRun says why runs are not different shards of one.
func sameRun(infos []RunInfo) error {
	seen := make(map[int]bool)
	for _, info := range infos {
		a := infos[0]
		switch {
		case info.Shards < 2:
			return errors.New("these logs are not of shards: a shard is what run --shard makes")
		case info.Scenario != a.Scenario || info.Seed != a.Seed || info.Text != a.Text || info.Shards != a.Shards || len(info.Fleets) != len(a.Fleets):
			return errors.New("these logs are of shards of different runs")
		case seen[info.Shard]:
			return fmt.Errorf("shard %s is there twice", info.shardName())
		}
		seen[info.Shard] = true
	}
	return nil
}

// shardName counts from 1, as people do.
func (info RunInfo) shardName() string { return fmt.Sprintf("%d of %d", info.Shard+1, info.Shards) }

func mergeRuns(infos []RunInfo) RunInfo {
	all := infos[0]
	all.Fleets, all.End, all.Reconciliation = slices.Clone(all.Fleets), End{}, Reconciliation{Checked: true}
	for i := range all.Fleets {
		all.Fleets[i].Count = 0
	}
	there := make([]bool, all.Shards)
	faults := make(map[string]int)
	for _, info := range infos {
		there[info.Shard%all.Shards] = true
		if info.Started.Before(all.Started) {
			all.Started = info.Started
		}
		for i, f := range info.Fleets {
			all.Fleets[i].Count += f.Count
		}
		all.End.merge(info)
		all.Reconciliation.merge(info.Reconciliation)
		for _, fault := range info.Faults {
			if faults[fault]++; faults[fault] == len(infos) { // it touched nothing in any
				all.Faults = append(all.Faults, fault)
			}
		}
	}
	for shard, is := range there {
		if !is {
			all.Faults = append(all.Faults, fmt.Sprintf("the log of shard %d of %d is missing", shard+1, all.Shards))
		}
	}
	all.Shard, all.Shards = 0, 0
	return all
}

func (e *End) merge(info RunInfo) {
	e.Due += info.Due
	e.Interrupted = e.Interrupted || info.Interrupted
	if e.Stopped == "" {
		e.Stopped = info.Stopped
	}
	e.Blocked, e.BlockedFrom = max(e.Blocked, info.Blocked), max(e.BlockedFrom, info.BlockedFrom)
	e.Machine.merge(info.Machine)
	e.PeakInFlight += info.PeakInFlight
	for name, n := range info.Cloud {
		if e.Cloud == nil {
			e.Cloud = make(map[string]int64)
		}
		e.Cloud[name] += n
	}
	for _, note := range info.Notes {
		if !slices.Contains(e.Notes, note) && !strings.HasSuffix(note, ShardNote) {
			e.Notes = append(e.Notes, note)
		}
	}
}

func (r *Reconciliation) merge(other Reconciliation) {
	r.Checked = r.Checked && other.Checked
	r.Assigned += other.Assigned
	r.Failed += other.Failed
	r.Disabled += other.Disabled
	r.NeverTold += other.NeverTold
	r.Differing += other.Differing
	r.Differences = append(r.Differences, other.Differences...)
	r.Differences = r.Differences[:min(len(r.Differences), maxDifferences)]
}
