package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// playShard plays each n-th of 300 boots into a log, and all of them where n is
// 1.
func playShard(t *testing.T, path string, shard, n int) metrics.Report {
	t.Helper()
	info := contoso(t)
	if n > 1 {
		info.Shard, info.Shards = shard, n
	}
	log, err := metrics.CreateLog(path, info)
	if err != nil {
		t.Fatal(err)
	}
	c, err := metrics.NewCollector(info, log)
	if err != nil {
		t.Fatal(err)
	}
	due := 0
	for i := shard; i < 300; i += n {
		due++
		at := start.Add(time.Duration(i) * 17 * time.Millisecond)
		id := fmt.Sprintf("device%d", i)
		switch {
		case i%30 == 0:
			play(c, born("strangers", id, at).failed(400207), refused(id, 400207))
		case i%3 == 0:
			play(c, born("heatpumps", id, at).online(heatpumpsHub, `{"state":"on"}`), decided(id, heatpumpsHub, ""))
		default:
			l := born("toasters", id, at).registering().to(device.Joining, time.Duration(5000+i*i%977)*time.Millisecond, assignedTo(toastersHub, id)).
				to(device.Online, time.Millisecond, func(e *device.Event) { e.Desired = json.RawMessage(`{"state":"ready"}`) })
			play(c, l, decided(id, toastersHub, `{"deviceType":"toaster"}`))
		}
	}
	r := c.Report(start.Add(20*time.Second), metrics.End{Due: due, Cloud: map[string]int64{"registrations": int64(due)}})
	if err := log.Close(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The order in which boots end, and so which of them are shown, is all that may
// differ; how many devices a fleet has is of the fixture.
func TestShardsAreReportedAsTheRunThatTheyAre(t *testing.T) {
	dir := t.TempDir()
	whole := playShard(t, filepath.Join(dir, "whole.ndjson"), 0, 1)
	var paths []string
	for shard := range 3 {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("part%d.ndjson", shard+1)))
		playShard(t, paths[shard], shard, 3)
	}
	if !metrics.AreShards(paths) || metrics.AreShards(append(paths, paths[0])) {
		t.Error("shards are not known as such")
	}
	r, err := metrics.ReportShards(paths)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Run.Fleets {
		r.Run.Fleets[i].Count /= 3
	}
	r.Log = whole.Log
	a, _ := json.MarshalIndent(whole, "", " ")
	b, _ := json.MarshalIndent(r, "", " ")
	if string(a) != string(b) {
		t.Errorf("whole:\n%s\nof shards:\n%s", a, b)
	}
	if len(whole.Charts.Points) < 10 || fmt.Sprint(whole.Charts) != fmt.Sprint(r.Charts) {
		t.Error("the charts differ")
	}
}

func TestMissingShardFailsTheRun(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for shard := range 2 {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("part%d.ndjson", shard+1)))
		playShard(t, paths[shard], shard, 3)
	}
	r, err := metrics.ReportShards(paths)
	if err != nil || r.Passed() || !strings.Contains(strings.Join(r.Failures, "\n"), "the log of shard 3 of 3 is missing") {
		t.Errorf("%v, %v", r.Failures, err)
	}
}

// shares is a run in which so many of the boots fail.
func shares(t *testing.T, path string, failed, of int) {
	t.Helper()
	info := metrics.RunInfo{Scenario: "shares", Started: start}
	log, err := metrics.CreateLog(path, info)
	if err != nil {
		t.Fatal(err)
	}
	c, err := metrics.NewCollector(info, log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range of {
		l := born("f", fmt.Sprint("d", i), start)
		if i < failed {
			play(c, l.failed(400207))
			continue
		}
		play(c, l.online(toastersHub, ""))
	}
	if err := log.Close(c.Report(start.Add(time.Minute), metrics.End{})); err != nil {
		t.Fatal(err)
	}
}

// Newcombe (1998), table II, has 56 of 70 against 48 of 80; his method 10 gives
// 0.0524 to 0.3339 at 95 %. At 99 % the same formula gives what is wanted here.
func TestDifferenceOfShares(t *testing.T) {
	dir := t.TempDir()
	for i, test := range []struct {
		a, ofA, b, ofB int
		low, high      float64
		real           bool
	}{
		{48, 80, 56, 70, 0.0054, 0.3718, true},
		{48, 80, 48, 80, -0.1923, 0.1923, false},
		{0, 1000, 2, 1000, -0.0048, 0.0102, false},
		{0, 1000, 30, 1000, 0.0171, 0.0473, true},
	} {
		paths := [2]string{filepath.Join(dir, fmt.Sprint(i, "a.ndjson")), filepath.Join(dir, fmt.Sprint(i, "b.ndjson"))}
		shares(t, paths[0], test.a, test.ofA)
		shares(t, paths[1], test.b, test.ofB)
		c, err := metrics.Compare(paths[0], paths[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range c.Rows {
			if row.Name != "failed" {
				continue
			}
			if math.Abs(row.Low-100*test.low) > 0.006 || math.Abs(row.High-100*test.high) > 0.006 || row.Real != test.real {
				t.Errorf("%d of %d and %d of %d: %+v", test.a, test.ofA, test.b, test.ofB, row)
			}
		}
	}
}

func TestARunDiffersFromItselfInNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	playShard(t, path, 0, 1)
	c, err := metrics.Compare(path, path)
	if err != nil || len(c.Rows) < 20 || len(c.MoreThanNoise()) > 0 || len(c.Notes) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTooFewBootsToTell(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.ndjson"), filepath.Join(dir, "b.ndjson")
	shares(t, a, 1, 3)
	shares(t, b, 3, 4)
	c, err := metrics.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range c.Rows {
		if row.Real || row.Stat != "share" && !row.TooFew {
			t.Errorf("%+v", row)
		}
	}
}
