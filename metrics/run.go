package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// RunInfo is what is known of a run beside its boots, and what X.run.json holds
// beside X.ndjson. The caller fills the first part before the run, and
// Collector.Report the second.
type RunInfo struct {
	Scenario string `json:"scenario"`
	// Text is the scenario as it was read, without keys: the caller masks them.
	Text string `json:"text,omitempty"`
	Seed uint64 `json:"seed"`
	// Shard is which of Shards parts of the run this is, from 0; Shards is 0 for
	// a run that is whole.
	Shard  int    `json:"shard,omitempty"`
	Shards int    `json:"shards,omitempty"`
	Target string `json:"target"` // what was booted against, in words
	// Ours says that the cloud is in this process, so that its exchanges come,
	// tags are seen and the two sides can be reconciled.
	Ours bool `json:"ours"`
	// Direct says that a webhook was called by us and by no DPS: its calls are
	// seen, tags are those that its answers give, every device calls once, and
	// there is no cloud to reconcile with.
	Direct bool `json:"direct,omitempty"`
	// Unverified says that TLS certificates were not checked; the verdict line
	// names it.
	Unverified bool              `json:"unverified,omitempty"`
	Versions   map[string]string `json:"versions,omitempty"` // program, Go, ...
	Fleets     []Fleet           `json:"fleets"`
	Hubs       []string          `json:"hubs,omitempty"` // that devices may dial
	Thresholds []Threshold       `json:"thresholds,omitempty"`
	Started    time.Time         `json:"started"`

	// Ended is nil while the run is on, and stays so for one that was killed.
	Ended *time.Time `json:"ended"`
	End
	Health         Health         `json:"health,omitzero"`
	Reconciliation Reconciliation `json:"reconciliation,omitzero"`
	Verdict        string         `json:"verdict,omitempty"`
	ExitCode       int            `json:"exitCode"`
}

// sees reports whether the calls of the webhook, and tags, are seen.
func (info RunInfo) sees() bool { return info.Ours || info.Direct }

// Fleet is what is to come of one fleet.
type Fleet struct {
	Name   string       `json:"name"`
	Count  int          `json:"count,omitempty"` // boots planned, for the progress
	Expect Expectations `json:"expect,omitempty"`
}

// End is what the caller knows at the end of a run.
type End struct {
	// Due is how many boots were due, dropped ones included: each must be
	// accounted for. 0 is unknown.
	Due int `json:"due,omitempty"`
	// Interrupted says that a person or a signal stopped the run.
	Interrupted bool `json:"interrupted,omitempty"`
	// Stopped says in a sentence why the run stopped itself, by an abort
	// threshold or for its set-up; empty if it ran to its end.
	Stopped string `json:"stopped,omitempty"`
	// Blocked is how long senders waited for the recorder.
	Blocked Millis `json:"blocked,omitempty"`
	// BlockedFrom is since when that was too long, if it was at the end.
	BlockedFrom  Millis `json:"blockedFrom,omitempty"`
	PeakInFlight int    `json:"peakInFlight,omitempty"`
	// Machine is what the run took of the machine.
	Machine Machine `json:"machine,omitzero"`
	// Cloud are the cloud's own totals by name.
	Cloud map[string]int64 `json:"cloud,omitempty"`
	// Faults are sentences that fail the run: a fault that touched nothing, a log that
	// is not whole.
	Faults []string `json:"faults,omitempty"`
	// Notes are sentences for the reader that fail nothing.
	Notes []string `json:"notes,omitempty"`
}

// maxRun bounds an X.run.json that is read; the scenario is the most of it.
const maxRun = 64 << 20

// ReadRun reads the X.run.json beside a log.
func ReadRun(logPath string) (RunInfo, error) {
	path := runPath(logPath)
	if stat, err := os.Stat(path); err == nil && stat.Size() > maxRun {
		return RunInfo{}, fmt.Errorf("%s has %d bytes; no run has", path, stat.Size())
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return RunInfo{}, fmt.Errorf("reading what is known of the run: %w", err)
	}
	var info RunInfo
	if err == nil {
		err = json.Unmarshal(data, &info)
	}
	if err != nil {
		return RunInfo{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return info, nil
}

// writeRun replaces path in one step, so that no reader ever finds half of it.
func writeRun(path string, info RunInfo) error {
	var buf bytes.Buffer
	indented := json.NewEncoder(&buf)
	indented.SetEscapeHTML(false)
	indented.SetIndent("", "  ")
	if err := indented.Encode(info); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = temp.Write(buf.Bytes())
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
