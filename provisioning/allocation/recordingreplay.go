package allocation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// Replay is what a recording is asked again: one request of each device, that of
// its last registration, in the order in which they were made.
type Replay struct {
	Info    RecordingInfo
	Asked   []Asked
	Offsets []time.Duration // since the first
	// Notes say what was left out.
	Notes []string
}

// ReadReplay reads the requests of a recording, all into memory. DPS's retries
// are no requests of their own.
func ReadReplay(ctx context.Context, path string) (Replay, error) {
	info, err := ReadRecordingInfo(path)
	if err != nil {
		return Replay{}, err
	}
	r := replayed{at: map[string]int{}, hubs: map[string][]string{}}
	for call, err := range ReadRecording(path) {
		if ctx.Err() != nil {
			return Replay{}, context.Cause(ctx)
		}
		if err != nil {
			return Replay{}, err // what is not the very same is not replayed
		}
		r.add(call)
	}
	if len(r.calls) == 0 {
		return Replay{}, fmt.Errorf("%s holds no call of a webhook", path)
	}
	replay := r.replay()
	replay.Info = info
	if len(info.Redacted) > 0 {
		replay.Notes = append(replay.Notes, fmt.Sprintf("the requests have **** for %s", strings.Join(info.Redacted, ", ")))
	}
	return replay, nil
}

// replayed gathers the calls of a recording by device.
type replayed struct {
	calls   []replayedCall
	at      map[string]int // where in calls, by registration id
	hubs    map[string][]string
	earlier int
}

type replayedCall struct {
	Asked
	at time.Time
}

func (r *replayed) add(call Recorded) {
	id := provisioning.SameID(call.RegistrationID)
	i, known := r.at[id]
	if known && call.Attempt > 1 {
		return
	}
	asked := call.Asked()
	asked.LinkedHubs = r.shared(asked.LinkedHubs)
	if known {
		r.earlier++
		r.calls[i] = replayedCall{asked, call.At}
		return
	}
	r.at[id] = len(r.calls)
	r.calls = append(r.calls, replayedCall{asked, call.At})
}

// shared is the same list for all who are asked about the same hubs.
func (r *replayed) shared(hubs []string) []string {
	key := strings.Join(hubs, " ")
	if known, ok := r.hubs[key]; ok {
		return known
	}
	r.hubs[key] = hubs
	return hubs
}

func (r *replayed) replay() Replay {
	slices.SortStableFunc(r.calls, func(a, b replayedCall) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	out := Replay{Asked: make([]Asked, len(r.calls)), Offsets: make([]time.Duration, len(r.calls))}
	for i, call := range r.calls {
		out.Asked[i], out.Offsets[i] = call.Asked, call.at.Sub(r.calls[0].at)
	}
	if r.earlier > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d earlier registrations of the same devices are not replayed", r.earlier))
	}
	return out
}
