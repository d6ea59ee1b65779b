package metrics_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// A log without its X.run.json does not say when its run began, and its first
// line is of the boot that ended first.
func TestChartsOfALogAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	log, err := metrics.CreateLog(path, metrics.RunInfo{Started: start})
	if err != nil {
		t.Fatal(err)
	}
	c, err := metrics.NewCollector(metrics.RunInfo{Started: start}, log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		play(c, born("f", fmt.Sprint("d", i), start.Add(time.Duration(99-i)*time.Second)).online(toastersHub, ""))
	}
	if err := log.Close(c.Report(start.Add(2*time.Minute), metrics.End{})); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), "run.run.json")); err != nil {
		t.Fatal(err)
	}
	r, err := metrics.ReportLog(path)
	if err != nil {
		t.Fatal(err)
	}
	due, most := 0, 0
	for _, p := range r.Charts.Points {
		due += p.Due
		most = max(most, p.Stages[device.Assigning])
	}
	span := time.Duration(len(r.Charts.Points)) * r.Charts.Width.Duration()
	if due != 100 || most < 5 || most > 7 || span < 105*time.Second || span > 5*time.Minute {
		t.Errorf("%d due, %d in a stage at the most, %v in all", due, most, span)
	}
}

func TestStagesAreReadHoweverTheyAreWritten(t *testing.T) {
	for text, want := range map[string]metrics.StageTime{
		`{"stage":"dialing","ms":1.250}`:                   {Stage: device.Dialing, Took: metrics.Millis(1250 * time.Microsecond)},
		`{ "ms": 1.25, "stage": "dialing" }`:               {Stage: device.Dialing, Took: metrics.Millis(1250 * time.Microsecond)},
		`{"stage":"waiting","ms":1.000,"why":"x\"}"}`:      {Stage: device.Waiting, Took: metrics.Millis(time.Millisecond), Why: `x"}`},
		`{"stage":"joining","ms":0.001,"stage":"dialing"}`: {Stage: device.Dialing, Took: metrics.Millis(time.Microsecond)},
	} {
		var got metrics.StageTime
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"stage":"dancing","ms":1.000}`, `{"stage":"off","ms":"1"}`} {
		if err := json.Unmarshal([]byte(text), new(metrics.StageTime)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestSlowestBootsAreKept(t *testing.T) {
	c := collector(t, metrics.RunInfo{})
	for i := range 50 {
		took := time.Duration(1+i*37%50) * time.Second
		play(c, born("f", fmt.Sprint("d", i), start).registering().to(device.Off, took, assignedTo(toastersHub, fmt.Sprint("d", i))))
	}
	play(c, born("f", "worst", start).registering().to(device.Failed, time.Hour, failure(device.OutcomeFailed, 400207, "no")))
	r := c.Report(start.Add(time.Hour), metrics.End{})
	if len(r.Slowest) != 5 {
		t.Fatal(r.Slowest)
	}
	for i, b := range r.Slowest {
		if want := time.Duration(50-i) * time.Second; b.Took().Duration().Truncate(time.Second) != want {
			t.Errorf("%d: %s took %v, want %v", i, b.ID, b.Took(), want)
		}
	}
}

// Wider points are the same boots, and what the report says afterwards is not
// touched.
func TestWiderPoints(t *testing.T) {
	c, err := metrics.NewCollector(metrics.RunInfo{Started: start}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		play(c, born("f", fmt.Sprint("d", i), start.Add(time.Duration(i)*20*time.Millisecond)).online(toastersHub, ""))
	}
	before, _ := json.Marshal(c.Report(start.Add(time.Minute), metrics.End{}).Charts)
	width, points := c.Points(time.Hour)
	if width.Duration() < time.Hour || len(points) != 1 || points[0].Due != 50 || points[0].Outcomes[device.OutcomeAssigned] != 50 || points[0].Assigned != 50 {
		t.Errorf("%v: %+v", width, points)
	}
	if after, _ := json.Marshal(c.Report(start.Add(time.Minute), metrics.End{}).Charts); string(after) != string(before) {
		t.Errorf("%s\nwas\n%s", after, before)
	}
}
