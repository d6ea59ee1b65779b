package metrics

import (
	"bytes"
	"encoding/json"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// Boot is one boot of one device from when it was due to its end, and one line
// of the log. A boot ends when it reached what it was booted for (see
// [device.OutcomeAssigned]), failed, was dropped or was interrupted.
type Boot struct {
	ID       string    `json:"registrationId"`
	DeviceID string    `json:"deviceId,omitempty"` // as DPS gave it
	Fleet    string    `json:"fleet"`
	Model    string    `json:"model,omitempty"`
	Boot     int       `json:"boot"` // counts from 1
	Due      time.Time `json:"due"`

	// Stages are those that the device left, in order. The first is Off, whose
	// time is the lateness; all add up to the time from Due to the end.
	Stages  []StageTime `json:"stages"`
	Polls   int         `json:"polls,omitempty"`
	Retries int         `json:"retries,omitempty"` // how often it waited and tried again

	// Cached is the hub that the device knew from an earlier boot and asked first.
	Cached string `json:"cached,omitempty"`

	Outcome device.Outcome `json:"outcome"`
	// Verdict is DPS's, empty if the device never heard one; Hub is then where
	// it was sent, or Code why not. Without one, Hub is the one that it knew, while
	// it holds to that, and Code is the refusal's.
	Verdict     provisioning.Status `json:"verdict,omitempty"`
	OperationID string              `json:"operationId,omitempty"`
	Hub         string              `json:"hub,omitempty"`
	Substatus   string              `json:"substatus,omitempty"`
	Code        provisioning.Code   `json:"code,omitempty"`
	// Result is how Microsoft's C SDK would report it.
	Result provisioning.Result `json:"result,omitempty"`
	Error  string              `json:"error,omitempty"`
	Cause  device.Cause        `json:"cause,omitempty"`

	Sent    json.RawMessage `json:"sent,omitempty"`    // the payload of the registration
	Payload json.RawMessage `json:"payload,omitempty"` // what the webhook returned
	Desired json.RawMessage `json:"desired,omitempty"` // of the initial twin
	Tags    json.RawMessage `json:"tags,omitempty"`    // as the cloud told, if it is ours

	Allocations []Allocation `json:"allocations,omitempty"`

	// Expected is the expectation that was met, or all of the fleet's if none
	// was; Unmet says why not.
	Expected string `json:"expected,omitempty"`
	Met      bool   `json:"met"`
	Unmet    string `json:"unmet,omitempty"`
}

// StageTime is how long a device was in a stage, and why it left it if that was
// an error after which it tried again.
type StageTime struct {
	Stage device.Stage `json:"stage"`
	Took  Millis       `json:"ms"`
	Why   string       `json:"why,omitempty"`
	// Resumed says that the TLS handshake in it took up an earlier session.
	Resumed bool `json:"resumed,omitempty"`
}

// UnmarshalJSON reads the form that a log has at once: a million boots have some
// ten million stages.
func (s *StageTime) UnmarshalJSON(data []byte) error {
	if s.exact(data) {
		return nil
	}
	type plain StageTime
	return json.Unmarshal(data, (*plain)(s))
}

func (s *StageTime) exact(data []byte) bool {
	rest, ok := bytes.CutPrefix(data, []byte(`{"stage":"`))
	name, rest, named := bytes.Cut(rest, []byte(`","ms":`))
	number, ended := bytes.CutSuffix(rest, []byte("}"))
	us, exact := exactMicros(number)
	if !ok || !named || !ended || !exact || s.Stage.UnmarshalText(name) != nil {
		return false
	}
	s.Took = Millis(us * int64(time.Microsecond))
	return true
}

// Allocation is one call of the webhook for a device.
type Allocation struct {
	Attempt int    `json:"attempt"` // counts from 1
	At      Millis `json:"at"`      // since the boot was due
	Took    Millis `json:"ms"`
	Status  int    `json:"status,omitempty"` // HTTP's; 0 where no answer came
	Hub     string `json:"hub,omitempty"`
	Err     string `json:"error,omitempty"`

	// Request and Response are the bodies, their first 4 KiB, where the call
	// failed or the boot was unexpected.
	Request  string `json:"request,omitempty"`
	Response string `json:"response,omitempty"`
}

// failed reports whether the call is one that somebody will want to look into.
func (a Allocation) failed() bool { return a.Err != "" || a.Status != 200 }

// Took is the time from when the boot was due to its end.
func (b Boot) Took() Millis { return b.sum(len(b.Stages)) }

// TimeToAssigned is the time from when the boot was due to when the device heard
// where it belongs; not ok if it never did.
func (b Boot) TimeToAssigned() (took Millis, ok bool) {
	if b.Verdict != provisioning.Assigned {
		return 0, false
	}
	for i := len(b.Stages) - 1; i >= 0; i-- {
		if b.Stages[i].Stage == device.Assigning {
			return b.sum(i + 1), true
		}
	}
	return 0, false
}

// TimeToOnline is the time from when the boot was due to when the device was at
// its hub with its twin; not ok if it never was.
func (b Boot) TimeToOnline() (took Millis, ok bool) {
	if b.Outcome != device.OutcomeAssigned || b.last() == device.Assigning {
		return 0, false
	}
	return b.Took(), true
}

// Lateness is how long after it was due the boot started.
func (b Boot) Lateness() Millis {
	if len(b.Stages) == 0 || b.Stages[0].Stage != device.Off {
		return 0
	}
	return b.Stages[0].Took
}

// InStages is how long the boot was in each stage, by device.Stage, all visits
// together, and whether it was there at all.
func (b Boot) InStages() (in [len(Stages{})]Millis, was [len(Stages{})]bool) {
	in, was = b.inStages(false)
	resumed, also := b.inStages(true)
	for stage := range in {
		in[stage] += resumed[stage]
		was[stage] = was[stage] || also[stage]
	}
	return in, was
}

// inStages are the visits with a TLS session resumed, or those without.
func (b *Boot) inStages(resumed bool) (in [len(Stages{})]Millis, was [len(Stages{})]bool) {
	for i := range b.Stages {
		s := &b.Stages[i]
		if s.Resumed == resumed && int(s.Stage) < len(in) {
			in[s.Stage] += s.Took
			was[s.Stage] = true
		}
	}
	return in, was
}

func (b Boot) sum(n int) (total Millis) {
	for _, s := range b.Stages[:n] {
		total += s.Took
	}
	return total
}

// last is the stage that the boot ended in.
func (b Boot) last() device.Stage {
	if len(b.Stages) == 0 {
		return device.Off
	}
	return b.Stages[len(b.Stages)-1].Stage
}
