package scenarios

import (
	"crypto/tls"
	"encoding/json"
	"slices"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
)

//go:generate go test -run SchemaIsGenerated -update .

// Scenario is a run written down: which devices come, when, to which cloud, and
// what should become of them.
type Scenario struct {
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9-]*$"`
	// About says in a line what it shows.
	About string `json:"about,omitempty"`
	// Seed decides everything that chance does: the same seed gives the same
	// devices, payloads, arrivals and faults.
	Seed uint64 `json:"seed,omitempty" jsonschema:"minimum=0,maximum=18446744073709551615"`
	// Cloud is the one that dpsfleet brings along.
	Cloud *Cloud `json:"cloud,omitempty"`
	// Target is somebody else's, instead of a cloud of ours.
	Target *Target `json:"target,omitempty"`
	// Sources are addresses of this machine that devices are spread over, or the
	// connections to a webhook, as 127.0.0.2. Each has local ports of its own. Left
	// out, the system takes one.
	Sources []string `json:"sources,omitempty" jsonschema:"maxItems=1000"`
	// TLS is how devices speak it.
	TLS TLS `json:"tls,omitzero"`
	// Limits hold the run in bounds.
	Limits Limits `json:"limits,omitzero"`
	// Models are kinds of devices beside toaster and heatpump.
	Models map[string]device.Model `json:"models,omitempty"`
	// Fleets are the devices, by the name of their fleet.
	Fleets Fleets `json:"fleets"`
	// Faults are made on purpose.
	Faults []Fault `json:"faults,omitempty"`
	// Thresholds are conditions that the whole run must meet.
	Thresholds []metrics.Threshold `json:"thresholds,omitempty"`

	text     []byte
	policies map[string]allocation.Policy // by what the scenario calls them
	proofs   map[string]proof             // by file
	warnings Mistakes
}

// Cloud is what the emulator is made of.
type Cloud struct {
	// IDScope is what devices name when they connect; 0ne00002193 if left out.
	IDScope string `json:"idScope,omitempty"`
	// LinkedHubs are the host names of the IoT hubs.
	LinkedHubs []string `json:"linkedHubs" jsonschema:"minItems=1,maxItems=50"`
	// Hubs are what is particular about some of them, by host name.
	Hubs map[string]emulator.LinkedHub `json:"hubs,omitempty"`
	// EnrollmentGroups let in every device whose key is derived from theirs.
	EnrollmentGroups map[string]Enrollment `json:"enrollmentGroups,omitempty"`
	// IndividualEnrollments let in, or keep out, the device of that
	// registration id. They come before the groups.
	IndividualEnrollments map[string]Enrollment `json:"individualEnrollments,omitempty"`
	// Answers is how long the service takes; left out, as long as the real one.
	Answers *Answers `json:"answers,omitempty"`
	// Quotas are the limits that DPS and the hubs keep to: none, real, or so many
	// times the real ones, as 10x and 0.1x; none.
	Quotas emulator.Quotas `json:"quotas,omitempty"`
	// WebhookCalls is how many calls of webhooks are made at once at most; 256.
	WebhookCalls int `json:"webhookCalls,omitempty" jsonschema:"minimum=1,maximum=100000"`
	// Observe is how much emulate keeps of what it saw.
	Observe emulator.Observe `json:"observe,omitzero"`
	// Undocumented is what the emulator does where no document of Microsoft's
	// says what DPS does.
	Undocumented emulator.Undocumented `json:"undocumented,omitzero"`
}

// Answers is how long the service takes; what is left out is as the real one.
type Answers struct {
	// Register is the time to the answer of a registration; 50ms.
	Register *emulator.Span `json:"register,omitempty"`
	// Allocate is the least time from a registration to its verdict, a duration
	// or a range to draw from; 3.2s..5.5s.
	Allocate *emulator.Span `json:"allocate,omitempty"`
	// RetryAfter is what a device is told to wait, in whole seconds; 3s. With 0s its
	// first poll comes at once, the next after 1ms, 2ms and so on up to 1s.
	RetryAfter *emulator.Span `json:"retryAfter,omitempty"`
}

// Enrollment is a record of DPS as a scenario writes it. Policy, webhookUrl and
// allocationPolicy exclude each other; without any it is hashed.
type Enrollment struct {
	// Policy names an allocation policy that dpsfleet ships, or is the path of
	// one (./mine.yaml), and is served as a webhook over HTTP.
	Policy string `json:"policy,omitempty"`
	// WebhookURL is a webhook of your own.
	WebhookURL string `json:"webhookUrl,omitempty"`
	// FunctionKey says how the policy's webhook is protected: not at all, by a
	// key that DPS has, or by one that the enrollment lacks.
	FunctionKey        FunctionKey                     `json:"functionKey,omitempty" jsonschema:"enum=none,enum=required,enum=missing"`
	AllocationPolicy   provisioning.AllocationPolicy   `json:"allocationPolicy,omitempty" jsonschema:"enum=hashed,enum=geoLatency,enum=static,enum=custom"`
	DeviceID           string                          `json:"deviceId,omitempty"`
	IoTHubs            []string                        `json:"iotHubs,omitempty"`
	IoTHubHostName     string                          `json:"iotHubHostName,omitempty"`
	ProvisioningStatus provisioning.ProvisioningStatus `json:"provisioningStatus,omitempty" jsonschema:"enum=enabled,enum=disabled"`
	ReprovisionPolicy  *provisioning.ReprovisionPolicy `json:"reprovisionPolicy,omitempty"`
	InitialTwin        *provisioning.InitialTwin       `json:"initialTwin,omitempty"`
	// Attestation is how devices prove who they are: by keys, or by certificates,
	// which need TLS; symmetricKey.
	Attestation provisioning.AttestationType `json:"attestation,omitempty" jsonschema:"enum=symmetricKey,enum=x509,enum=tpm"`
	// CA is the path of a PEM file with the certificate of the authority that signs
	// a group's devices' certificates, and Certificate of one with an individual
	// enrollment's own. What is left out is made. To sign devices of a fleet
	// dpsfleet needs the authority's private key, in the same file.
	CA          string `json:"ca,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	// PrimaryKey and SecondaryKey are made where none is given.
	PrimaryKey   provisioning.Key `json:"primaryKey,omitempty"`
	SecondaryKey provisioning.Key `json:"secondaryKey,omitempty"`
}

// FunctionKey says how a policy's webhook is protected.
type FunctionKey string

// The ways; an empty one is none.
const (
	FunctionKeyNone     FunctionKey = "none"
	FunctionKeyRequired FunctionKey = "required"
	FunctionKeyMissing  FunctionKey = "missing"
)

// Target is a cloud that is not ours: a real DPS, or an emulator elsewhere; or it
// is a webhook alone, which is called as DPS would call it.
type Target struct {
	// DPS is its HOST:PORT, as global.azure-devices-provisioning.net:8883, and
	// IDScope the id scope that devices name there.
	DPS     string `json:"dps,omitempty"`
	IDScope string `json:"idScope,omitempty"`
	// Endpoints are the HOST:PORTs of the same DPS, or of the webhook, that devices
	// are spread over, instead of the one. Its name stays that of dps.
	Endpoints []string `json:"endpoints,omitempty" jsonschema:"maxItems=1000"`
	// Webhook is the URL of an allocation function that is called directly,
	// instead of a DPS. A key in its code is masked; better give it by
	// --function-key-file or DPSFLEET_FUNCTION_KEY.
	Webhook string `json:"webhook,omitempty"`
	// Requests are what DPS would ask of that webhook.
	Requests Requests `json:"requests,omitzero"`
	// HTTP is how it is called.
	HTTP HTTP `json:"http,omitzero"`
	// GroupKey is the enrollment group's; better kept in a file and given by
	// --group-key-file.
	GroupKey provisioning.Key `json:"groupKey,omitempty"`
	// CA is the path of a PEM file with the root certificates to trust; left
	// out, the system's.
	CA string `json:"ca,omitempty"`
	// ServerName is the name in DPS's certificate, where DPS is another.
	ServerName string `json:"serverName,omitempty"`
	// Gateway is the HOST:PORT that all hub connections go to.
	Gateway string `json:"gateway,omitempty"`
	// Hubs are the hubs that devices may dial; any other is an outcome. They are
	// the linked hubs that a webhook is asked about.
	Hubs []string `json:"hubs,omitempty"`

	// DeviceKey is used as it is by every device, instead of one derived from
	// GroupKey. Insecure takes any certificate. Both come from the command line.
	DeviceKey provisioning.Key `json:"-"`
	Insecure  bool             `json:"-"`
	// Certificate is what every device brings to the TLS handshake, instead of a
	// token. It comes from the command line.
	Certificate *tls.Certificate `json:"-"`
	// RootCAs is what CA holds.
	RootCAs []byte `json:"-"`
}

// Fleet is a number of devices of one model that come together.
type Fleet struct {
	Name string `json:"-"`
	// Model is toaster, heatpump or one of the scenario's.
	Model string `json:"model"`
	Count int    `json:"count" jsonschema:"minimum=1,maximum=10000000"`
	// First is the number of the first device, {{.N}} in templates; 1.
	First int `json:"first,omitempty" jsonschema:"minimum=0,maximum=1000000000"`
	// Payload are members beside the model's own.
	Payload json.RawMessage `json:"payload,omitempty"`
	// EnrollmentGroup is whose key the devices' are derived from; left out, the
	// first one's by name.
	EnrollmentGroup string `json:"enrollmentGroup,omitempty"`
	// Certificate is which one devices bring that attest by certificate: that of
	// their enrollment, or one that they signed themselves and nobody knows;
	// enrollment.
	Certificate FleetCertificate `json:"certificate,omitempty" jsonschema:"enum=enrollment,enum=self-signed"`
	// Start is when the fleet begins to arrive.
	Start Duration `json:"start,omitempty"`
	// Arrive is how it arrives; left out, all at once.
	Arrive Stages `json:"arrive,omitempty"`
	// Until is how far each boot goes: assigned, twin or online; twin.
	Until device.Until `json:"until,omitempty" jsonschema:"enum=assigned,enum=twin,enum=online"`
	// Stay is how long a device stays online; Telemetry is the pause between
	// two messages of it.
	Stay      Duration `json:"stay,omitempty"`
	Telemetry Duration `json:"telemetry,omitempty"`
	// Cached is what the devices know from an earlier life: they ask that hub
	// first. Left out, they are new and ask DPS.
	Cached *Cached `json:"cached,omitempty"`
	// Reboots are the boots after the first, of a device that then knows its hub.
	Reboots Reboots `json:"reboots,omitempty"`
	// Backoff is how the devices pace what they try again: own, which is 1s,
	// doubled up to 1m; azure-default and azure-storm, as Microsoft advises; or
	// naive, which is every second, whatever the server says. Left out, that of the
	// limits.
	Backoff Backoff `json:"backoff,omitempty" jsonschema:"enum=own,enum=azure-default,enum=azure-storm,enum=naive"`
	// Expect says how its boots should end; left out, assigned.
	Expect metrics.Expectations `json:"expect,omitempty"`

	at []time.Duration // when each device is due, instead of Arrive; nil for none
}

// FleetCertificate says which certificate the devices of a fleet bring.
type FleetCertificate string

// The two of them; an empty one is the enrollment's.
const (
	CertificateOfEnrollment FleetCertificate = "enrollment"
	CertificateSelfSigned   FleetCertificate = "self-signed"
)

// first is the number of the fleet's first device.
func (f Fleet) first() int {
	if f.First == 0 {
		return 1
	}
	return f.First
}

// Fault is something made to go wrong.
type Fault struct {
	// At is where: at the webhook, at DPS or at the hub.
	At string `json:"at" jsonschema:"enum=webhook,enum=dps,enum=hub"`
	// During is when, counted from the start of the run; left out, always.
	During *Window `json:"during,omitempty"`
	// Fleets are whose devices it touches; left out, all.
	Fleets []string `json:"fleets,omitempty"`
	// Share is which part of those devices, as 20%; left out, all. A hash of seed
	// and registration id decides, so that a seed always has the same ones.
	Share Portion `json:"share,omitempty"`
	// Do is what happens, as "status 503"; `dpsfleet help faults` lists what there
	// is. Of several faults that would touch the same call the first does.
	Do FaultAction `json:"do"`
}

// Hubs are the hubs that devices of the scenario may dial.
func (s Scenario) Hubs() []string {
	if s.Target != nil {
		return slices.Clone(s.Target.Hubs)
	}
	if s.Cloud != nil {
		return slices.Clone(s.Cloud.LinkedHubs)
	}
	return nil
}
