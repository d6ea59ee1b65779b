package metrics_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

func runLogged(t testing.TB, path string, n int) metrics.Report {
	t.Helper()
	info := contoso(t)
	log, err := metrics.CreateLog(path, info)
	if err != nil {
		t.Fatal(err)
	}
	c, err := metrics.NewCollector(info, log)
	if err != nil {
		t.Fatal(err)
	}
	playContoso(c, n, n/2, 2)
	for _, e := range born("toasters", "slow", start).registering().events {
		c.Event(e)
	}
	c.Finish(start.Add(15 * time.Second))
	r := c.Report(start.Add(18300*time.Millisecond), metrics.End{Due: n + n/2 + 3, PeakInFlight: 7, Cloud: map[string]int64{"registrations": 3}})
	if err := log.Close(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// A log that is reported again must give the numbers of the run itself.
func TestReportFromALogIsTheSame(t *testing.T) {
	for _, name := range []string{"run.ndjson", "run.ndjson.zst"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			live := runLogged(t, path, 20)
			again, err := metrics.ReportLog(path)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := json.MarshalIndent(live, "", " ")
			b, _ := json.MarshalIndent(again, "", " ")
			if string(a) != string(b) {
				t.Errorf("live:\n%s\nfrom the log:\n%s", a, b)
			}
		})
	}
}

func TestLogBelongsToItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	runLogged(t, path, 1)
	for _, name := range []string{path, strings.TrimSuffix(path, ".ndjson") + ".run.json"} {
		stat, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if stat.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("%s is %v", name, stat.Mode())
		}
		if _, err := metrics.CreateLog(path, metrics.RunInfo{}); err == nil || !strings.Contains(err.Error(), "never overwritten") {
			t.Errorf("an existing log: %v", err)
		}
		os.Remove(path)
	}
	if _, err := metrics.CreateLog("run.txt", metrics.RunInfo{}); err == nil {
		t.Error("a log of any name was taken")
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// The moment of the kill is a little after some boots, with no chance to close.
func TestKilledRunSaysWhatItCannotKnow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	synctest.Test(t, func(t *testing.T) {
		info := contoso(t)
		log, err := metrics.CreateLog(path, info)
		if err != nil {
			t.Fatal(err)
		}
		c, err := metrics.NewCollector(info, log)
		if err != nil {
			t.Fatal(err)
		}
		playContoso(c, 3, 0, 0)
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
	})
	data, err := os.ReadFile(path)
	if err != nil || strings.Count(string(data), "\n") != 3 || !strings.HasSuffix(string(data), "\n") {
		t.Fatalf("not all lines are there: %q, %v", data, err)
	}
	if run, err := metrics.ReadRun(path); err != nil || run.Ended != nil {
		t.Fatalf("%+v, %v", run, err)
	}
	if err := os.WriteFile(path, data[:len(data)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := metrics.ReportLog(path)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(r.Run.Notes, "\n")
	for _, want := range []string{"run.ndjson:3: the last line is cut short", "the run was killed"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q; want %q", notes, want)
		}
	}
	if r.Accounted != 2 || r.ExitCode() != metrics.ExitInterrupted || r.Run.Reconciliation.Checked {
		t.Errorf("%+v", r)
	}
}

func TestRunAloneSaysWhatIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	runLogged(t, path, 4)
	os.Remove(path)
	_, err := metrics.ReportLog(path)
	if err == nil || !strings.Contains(err.Error(), "run.run.json is left, which says FAIL") {
		t.Errorf("got %v", err)
	}
}

func TestLogAloneThatIsNotWholeDoesNotPass(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	runLogged(t, path, 4)
	os.Remove(strings.TrimSuffix(path, ".ndjson") + ".run.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := data[:bytes.IndexByte(data, '\n')+1]
	for name, c := range map[string]struct {
		text []byte
		want int
	}{
		"whole":     {first, metrics.ExitMet},
		"cut short": {data[:len(first)+9], metrics.ExitUnmet},
	} {
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := metrics.ReportLog(path)
		if err != nil || r.ExitCode() != c.want {
			t.Errorf("%s: exit code %d, want %d: %v, %q", name, r.ExitCode(), c.want, err, r.Failures)
		}
	}
}

func TestLogAloneKeepsWhatItsLinesSay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	live := runLogged(t, path, 4)
	os.Remove(strings.TrimSuffix(path, ".ndjson") + ".run.json")
	r, err := metrics.ReportLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Accounted != live.Accounted || !reflect.DeepEqual(r.Times, live.Times) || !reflect.DeepEqual(r.Unexpected, live.Unexpected) {
		t.Errorf("%+v\n%+v", r, live)
	}
	if !strings.Contains(strings.Join(r.Run.Notes, ""), "not known") || len(r.Thresholds) != 0 {
		t.Errorf("%+v", r.Run.Notes)
	}
}

func TestBadLinesAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson")
	long := strings.Repeat("x", 5<<20)
	text := "{}\n" + `{"registrationId":"a","outcome":"assigned","boot":1}` + "\nnonsense\n" + long + "\n" + `{"registrationId":"b","outcome":"failed","boot":1}` + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for b, err := range metrics.ReadLog(path) {
		if err != nil {
			got = append(got, strings.TrimPrefix(err.Error(), path)[:2])
			continue
		}
		got = append(got, b.ID)
	}
	if want := []string{":1", "a", ":3", ":4", "b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if r, err := metrics.ReportLog(path); err != nil || r.Accounted != 2 {
		t.Errorf("%v, %v", r.Accounted, err)
	}
	if _, err := metrics.ReportLog(path + "x"); err == nil {
		t.Error("a log that is not there was read")
	}
}

// A device that is always full stands for a disk that is.
func TestFullDiskIsASentenceAndTheRunGoesOn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a device that is always full")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "run.ndjson")
	log, err := metrics.CreateLog(path, contoso(t))
	if err != nil {
		t.Fatal(err)
	}
	metrics.FillDisk(t, log)
	c, err := metrics.NewCollector(contoso(t), log)
	if err != nil {
		t.Fatal(err)
	}
	playContoso(c, 20, 0, 0)
	r := c.Report(start.Add(time.Minute), metrics.End{})
	if r.Accounted != 20 || len(r.Run.Notes) != 1 || !strings.Contains(r.Run.Notes[0], "no space left") {
		t.Errorf("%d accounted for, notes %q", r.Accounted, r.Run.Notes)
	}
	if log.Close(r) == nil {
		t.Error("the log says that it is whole")
	}
}

func FuzzReadLog(f *testing.F) {
	f.Add([]byte(`{"registrationId":"a","fleet":"f","boot":1,"due":"2026-11-22T21:04:00Z","stages":[{"stage":"off","ms":1.5}],"outcome":"dropped","met":false}` + "\n{"))
	f.Add([]byte(`{"registrationId":"b","boot":-1,"stages":[{"stage":"assigning","ms":1e9}],"outcome":"assigned","verdict":"assigned","desired":7,"allocations":[{}]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "run.ndjson")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for b := range metrics.ReadLog(path) {
			if events := b.Events(); len(events) == 0 {
				t.Errorf("no events of %+v", b)
			}
		}
		r, err := metrics.ReportLog(path)
		if err == nil && r.Due != r.Accounted {
			t.Errorf("%d due, %d accounted for", r.Due, r.Accounted)
		}
	})
}

func Example() {
	info := metrics.RunInfo{Started: start, Fleets: []metrics.Fleet{{Name: "toasters"}}}
	c, err := metrics.NewCollector(info, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Event(device.Event{Device: "toaster-1", Fleet: "toasters", Boot: 1, From: device.Off, To: device.Dialing, At: start})
	c.Event(device.Event{Device: "toaster-1", Fleet: "toasters", Boot: 1, From: device.Dialing, To: device.Failed, At: start.Add(time.Second), In: time.Second})
	end := start.Add(2 * time.Second)
	c.Finish(end)
	r := c.Report(end, metrics.End{Due: 1})
	fmt.Println(r.Verdict(), r.ExitCode())
	fmt.Println(r.Failures[0])
	// Output:
	// FAIL  VALID 3
	// toasters: 1 of 1 met no expectation
}

func TestReadingMayStopAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.ndjson.zst")
	runLogged(t, path, 2000)
	n := 0
	for _, err := range metrics.ReadLog(path) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 200 {
			break
		}
	}
	if n != 200 {
		t.Errorf("read %d boots, want 200", n)
	}
}
