package device

import (
	"encoding/json"
	"time"

	"dpsfleet/provisioning"
)

// Stage is where a device is in its life.
type Stage uint8

// The stages of a boot, in the order of a boot that succeeds; then those beside
// it.
const (
	Off         Stage = iota // not started yet, or done; time in it is lateness
	Dialing                  // TCP
	Securing                 // TLS
	Registering              // CONNECT to DPS's 202
	Assigning                // to the verdict, pauses between polls included
	Joining                  // dial of the hub to its CONNACK
	Twinning                 // to the initial twin, compared and reported on
	Online                   // at its hub
	Waiting                  // pausing after a refusal or a loss
	Failed                   // refused for good, out of attempts or out of time
	Dropped                  // never started: its fleet was at its limit
	stages
)

// String is the stage's name in logs and metrics.
func (s Stage) String() string {
	names := [stages]string{"off", "dialing", "securing", "registering", "assigning", "joining", "twinning", "online", "waiting", "failed", "dropped"}
	if s >= stages {
		return "unknown"
	}
	return names[s]
}

// MarshalText and UnmarshalText are the stage's name.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Stage) UnmarshalText(text []byte) error {
	for candidate := range stages {
		if candidate.String() == string(text) {
			*s = candidate
			return nil
		}
	}
	return unknownStageError(text)
}

type unknownStageError string

func (e unknownStageError) Error() string { return "no stage is called " + string(e) }

// Event is a device entering a stage. It is all that a device tells; outcomes,
// gauges, the log and the reports are folds over events.
type Event struct {
	Device string // registration id
	Fleet  string
	Model  string
	Boot   int // counts from 1

	From, To Stage
	At       time.Time
	// In is how long the device was in From. In Off it counts from when the
	// boot was due, so the stages of a boot add up to the time since then.
	In time.Duration
	// Err is why it left From, if it left it on an error: a *Failure.
	Err error

	// Resumed says, on leaving Securing or Joining, that the TLS handshake there took
	// up an earlier session.
	Resumed bool
	// Sent is the payload of a registration, on leaving Registering with one sent.
	Sent json.RawMessage
	// Polls is set on leaving Assigning: how often the device asked.
	Polls int
	// Assignment is set on leaving Assigning with DPS's verdict, and on leaving Off
	// with an assignment of an earlier boot, which has no Status.
	Assignment *Assignment
	// Desired holds the desired properties of the initial twin, on leaving
	// Twinning with one.
	Desired json.RawMessage
}

// Assignment is DPS's verdict on a device, as the device heard it.
type Assignment struct {
	OperationID string
	Status      provisioning.Status
	Substatus   string
	Hub         string
	DeviceID    string
	Code        provisioning.Code
	Message     string
	LastUpdated provisioning.Timestamp
	// Payload is what the webhook had for the device.
	Payload json.RawMessage
}

// Outcome is how a boot ended.
type Outcome string

// The outcomes; the list is closed.
const (
	OutcomeAssigned       Outcome = "assigned"         // until was reached
	OutcomeFailed         Outcome = "failed"           // DPS said failed
	OutcomeDisabled       Outcome = "disabled"         // DPS said disabled
	OutcomeRefused        Outcome = "refused"          // 401, 404, CONNACK
	OutcomeUnreachable    Outcome = "unreachable"      // dial, TLS, or a connection lost for good
	OutcomeTimeout        Outcome = "timeout"          // the boot's time ran out
	OutcomeHubNotDeclared Outcome = "hub-not-declared" // never dialled
	OutcomeDropped        Outcome = "dropped"          // never started
	OutcomeInterrupted    Outcome = "interrupted"      // the run was stopped
)

// Outcomes lists them in that order.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeAssigned, OutcomeFailed, OutcomeDisabled, OutcomeRefused, OutcomeUnreachable,
		OutcomeTimeout, OutcomeHubNotDeclared, OutcomeDropped, OutcomeInterrupted,
	}
}

// Failure is why a device left a stage on an error. With To Failed it is the
// end of the boot; with To Waiting the device tries again.
type Failure struct {
	Outcome Outcome // what the boot would end as, were this its end
	Code    provisioning.Code
	Result  provisioning.Result // how the C SDK would report it; empty where it has no word
	// Cause marks what somebody must set up differently, for a run whose first
	// boots all end on the same one; empty for anything else.
	Cause Cause
	Err   error
}

// Cause is a mistake in the set-up rather than in one device.
type Cause string

// The causes that stop a run.
const (
	CauseDialRefused    Cause = "dial-refused"
	CauseUntrusted      Cause = "certificate-not-trusted"
	CauseNoWebSocket    Cause = "no-websocket"
	CauseIDScope        Cause = "connack-3"
	CauseConnackRefused Cause = "connack-5"
	CauseUnauthorized   Cause = "unauthorized"
	CauseCertificate    Cause = "certificate-refused"
	CauseWebhookAway    Cause = "webhook-away"
	CauseFunctionKey    Cause = "function-key"
)

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }
