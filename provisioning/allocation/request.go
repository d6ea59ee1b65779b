package allocation

import (
	"encoding/json"

	"dpsfleet/provisioning"
)

// Request is what DPS posts to the webhook: AllocationRequest in "custom
// allocation", its members in the order of the tutorial's log. It has one of
// the two records.
type Request struct {
	IndividualEnrollment *provisioning.Enrollment `json:"individualEnrollment,omitempty"`
	EnrollmentGroup      *provisioning.Enrollment `json:"enrollmentGroup,omitempty"`
	DeviceRuntimeContext RuntimeContext           `json:"deviceRuntimeContext"`
	LinkedHubs           []string                 `json:"linkedHubs"`
}

// RuntimeContext is what DPS knows of the device that registers.
type RuntimeContext struct {
	RegistrationID *string `json:"registrationId,omitempty"`
	// The hub and the device id of an earlier assignment; empty on the first.
	CurrentIoTHubHostName string `json:"currentIotHubHostName,omitempty"`
	CurrentDeviceID       string `json:"currentDeviceId,omitempty"`
	// One of the two is set: X509 with the certificate, SymmetricKey empty (the
	// documents promise the keys there, every log shows {}).
	X509         *X509Context `json:"x509,omitempty"`
	SymmetricKey *struct{}    `json:"symmetricKey,omitempty"`
	// Payload is the device's JSON, byte for byte.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// X509Context is a device's certificate. Microsoft documents no shape for it;
// this is the one that published functions read.
type X509Context struct {
	ClientCertificate []byte `json:"clientCertificate,omitempty"` // DER; base64 on the wire
}

// JSON is the body of the call. The record is shown as DPS shows it, without
// keys and with the webhook's query masked; the payload stays as it came. No
// linked hubs are an empty list: the member is always there.
func (r Request) JSON() []byte {
	var o provisioning.Object
	addRecord(&o, "individualEnrollment", r.IndividualEnrollment)
	addRecord(&o, "enrollmentGroup", r.EnrollmentGroup)
	o.Raw("deviceRuntimeContext", r.DeviceRuntimeContext.json())
	o.Raw("linkedHubs", mustMarshal(append([]string{}, r.LinkedHubs...)))
	return o.Bytes()
}

func addRecord(o *provisioning.Object, key string, record *provisioning.Enrollment) {
	if record != nil {
		o.Raw(key, mustMarshal(record.Shown()))
	}
}

func (c RuntimeContext) json() []byte {
	var o provisioning.Object
	if c.RegistrationID != nil {
		o.Text("registrationId", *c.RegistrationID)
	}
	o.TextIf("currentIotHubHostName", c.CurrentIoTHubHostName)
	o.TextIf("currentDeviceId", c.CurrentDeviceID)
	if c.X509 != nil {
		o.Raw("x509", mustMarshal(c.X509))
	}
	if c.SymmetricKey != nil {
		o.Raw("symmetricKey", []byte("{}"))
	}
	o.Raw("payload", c.Payload)
	return o.Bytes()
}

// mustMarshal is for values of our own types, which have nothing in them that
// JSON cannot say.
func mustMarshal(v any) []byte {
	text, _ := provisioning.Marshal(v)
	return text
}
