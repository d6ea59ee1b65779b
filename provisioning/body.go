package provisioning

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxMessage is the largest message that DPS takes, 96 KB.
const MaxMessage = 96 << 10

// Status is the state of a registration.
type Status string

// The states that DPS sends.
const (
	Assigning Status = "assigning"
	Assigned  Status = "assigned"
	Failed    Status = "failed"
	Disabled  Status = "disabled"
)

// Timestamp is a time as DPS writes it: UTC, up to seven fractional digits,
// trailing zeros cut.
type Timestamp struct{ time.Time }

const timestampLayout = "2006-01-02T15:04:05.9999999Z"

// String is the time as DPS writes it, empty for no time.
func (t Timestamp) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timestampLayout)
}

// MarshalText and UnmarshalText are the time as DPS writes it.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t *Timestamp) UnmarshalText(text []byte) error { return t.parse(string(text)) }

func (t *Timestamp) parse(text string) (err error) {
	if text == "" {
		*t = Timestamp{}
		return nil
	}
	t.Time, err = time.Parse(time.RFC3339Nano, text)
	return err
}

// MarshalJSON and UnmarshalJSON hide those of time.Time, which JSON would take
// before the text and which write a zone and nine digits.
func (t Timestamp) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

func (t *Timestamp) UnmarshalJSON(text []byte) error {
	var s string // stays empty for a null
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	return t.parse(s)
}

// Registration is the body of a device's registration.
type Registration struct {
	RegistrationID string `json:"registrationId,omitempty"`
	// TPM are the keys of a TPM, as a device sends them over HTTPS.
	TPM json.RawMessage `json:"tpm,omitempty"`
	// Payload is the device's own JSON, handed to the webhook as it came.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// JSON is the body as the C SDK writes it.
func (r Registration) JSON() []byte {
	var o Object
	o.Grow(64 + len(r.RegistrationID) + len(r.TPM) + len(r.Payload))
	o.TextIf("registrationId", r.RegistrationID)
	o.Raw("tpm", r.TPM)
	o.Raw("payload", r.Payload)
	return o.Bytes()
}

// ParseRegistration reads the body of a registration. DPS takes an empty one and
// a blank one, and C#'s leaves the registration id out: the user name has it.
// A null payload is no payload.
func ParseRegistration(body []byte) (Registration, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return Registration{}, nil
	}
	r, plain := plainRegistration(body)
	if !plain {
		r = Registration{}
		if err := json.Unmarshal(body, &r); err != nil {
			return Registration{}, fmt.Errorf("the body of the registration: %w", err)
		}
	}
	if string(r.TPM) == "null" {
		r.TPM = nil
	}
	if string(r.Payload) == "null" {
		r.Payload = nil
	}
	return r, nil
}

// Operation is the body of DPS's answer to a registration or a poll.
type Operation struct {
	OperationID string             `json:"operationId"`
	Status      Status             `json:"status"`
	State       *RegistrationState `json:"registrationState,omitempty"`
}

// JSON is the body with the members in the order of the live service.
func (op Operation) JSON() []byte {
	var o Object
	if op.State == nil {
		o.Grow(128) // that will do
	}
	o.Text("operationId", op.OperationID)
	o.Text("status", string(op.Status))
	if op.State != nil {
		inner := o.open("registrationState")
		op.State.write(&inner)
		o.close(inner)
	}
	return o.Bytes()
}

// ParseOperation reads DPS's answer to a registration or a poll.
func ParseOperation(body []byte) (Operation, error) {
	op, plain := plainOperation(body)
	if !plain {
		op = Operation{}
		if err := json.Unmarshal(body, &op); err != nil {
			return Operation{}, fmt.Errorf("the answer of DPS: %w", err)
		}
	}
	if op.Status == "" {
		return Operation{}, errors.New("the answer of DPS has no status")
	}
	if op.Status == Assigned && (op.State == nil || op.State.AssignedHub == "" || op.State.DeviceID == "") {
		return Operation{}, errors.New("the answer of DPS says assigned and does not say where")
	}
	return op, nil
}

// RegistrationState is what DPS keeps of a device and tells it.
type RegistrationState struct {
	// X509 marks a device that came with a certificate; it is always empty.
	X509           *struct{}       `json:"x509,omitempty"`
	RegistrationID string          `json:"registrationId"`
	Created        Timestamp       `json:"createdDateTimeUtc,omitzero"`
	AssignedHub    string          `json:"assignedHub,omitempty"`
	DeviceID       string          `json:"deviceId,omitempty"`
	Status         Status          `json:"status"`
	Substatus      string          `json:"substatus,omitempty"`
	ErrorCode      Code            `json:"errorCode,omitempty"`
	ErrorMessage   string          `json:"errorMessage,omitempty"`
	LastUpdated    Timestamp       `json:"lastUpdatedDateTimeUtc,omitzero"`
	ETag           string          `json:"etag,omitempty"`
	Payload        json.RawMessage `json:"payload,omitempty"`
}

// Substatus of an assigned registration.
const (
	InitialAssignment                = "initialAssignment"
	DeviceDataMigrated               = "deviceDataMigrated"
	DeviceDataReset                  = "deviceDataReset"
	ReprovisionedToInitialAssignment = "reprovisionedToInitialAssignment"
)

// JSON is the state with its members in the order of the live service and the
// payload as the webhook gave it, but for characters beyond ASCII.
func (s RegistrationState) JSON() []byte {
	var o Object
	s.write(&o)
	return o.Bytes()
}

func (s *RegistrationState) write(o *Object) {
	if s.X509 != nil {
		o.Raw("x509", []byte("{}"))
	}
	o.Text("registrationId", s.RegistrationID)
	o.TextIf("createdDateTimeUtc", s.Created.String())
	o.TextIf("assignedHub", s.AssignedHub)
	o.TextIf("deviceId", s.DeviceID)
	o.Text("status", string(s.Status))
	o.TextIf("substatus", s.Substatus)
	if s.ErrorCode != 0 {
		o.Int("errorCode", int64(s.ErrorCode))
	}
	o.TextIf("errorMessage", s.ErrorMessage)
	o.TextIf("lastUpdatedDateTimeUtc", s.LastUpdated.String())
	o.TextIf("etag", s.ETag)
	o.Raw("payload", ASCII(s.Payload))
}

// InitialTwin is the twin that a device starts with at its hub.
type InitialTwin struct {
	Properties struct {
		Desired json.RawMessage `json:"desired,omitempty"`
	} `json:"properties,omitzero"`
	Tags json.RawMessage `json:"tags,omitempty"`
}
