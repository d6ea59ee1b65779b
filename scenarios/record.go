package scenarios

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"

	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// Record is a recording to be made of a run's calls of the webhook.
type Record struct {
	// Path is the file, something.ndjson or something.ndjson.zst; empty makes none.
	Path string
	// Redact are paths in requests and answers whose values are left out.
	Redact []string
}

// recording is one that is being made; nil is none.
type recording struct {
	*allocation.Recording
	path string
}

func (r *run) createRecording(info metrics.RunInfo) (*recording, error) {
	if r.env.Record.Path == "" {
		return nil, nil
	}
	if r.cloud == nil && r.calls == nil {
		return nil, errors.New("a DPS elsewhere calls its webhook where nobody here sees it, so there is nothing to record")
	}
	file, err := allocation.CreateRecording(r.env.Record.Path, allocation.RecordingInfo{
		Scenario: info.Scenario,
		Seed:     info.Seed,
		Webhook:  strings.Join(r.webhooks(), ", "),
		Started:  info.Started,
		Redacted: r.env.Record.Redact,
	})
	if err != nil {
		return nil, err
	}
	return &recording{file, r.env.Record.Path}, nil
}

// folds adds the recording to what the recorder feeds.
func (r *recording) folds(others []metrics.Fold) []metrics.Fold {
	if r == nil {
		return others
	}
	return append(slices.Clone(others), metrics.Fold{Exchange: r.Record})
}

// close ends the recording and says what there is to say of it: also, where it is
// not whole, the error.
func (r *recording) close() (notes []string, err error) {
	if r == nil {
		return nil, nil
	}
	notes, err = r.Close()
	if err != nil {
		notes = append(notes, err.Error())
	}
	return notes, err
}

// discard takes back the recording of a run that never began.
func (r *recording) discard() {
	if r != nil {
		r.close()
		os.Remove(r.path)
	}
}

// webhooks are the webhooks that the run calls, as they may be shown.
func (r *run) webhooks() []string {
	if r.calls != nil {
		return []string{provisioning.MaskURL(r.Scenario.Target.Webhook)}
	}
	called := map[string]bool{}
	for _, records := range []map[string]Enrollment{r.Cloud.EnrollmentGroups, r.Cloud.IndividualEnrollments} {
		for _, e := range records {
			switch {
			case e.WebhookURL != "":
				called[provisioning.MaskURL(e.WebhookURL)] = true
			case e.Policy != "":
				called["the policy "+e.Policy] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(called))
}
