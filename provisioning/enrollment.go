package provisioning

import (
	"encoding/json"
	"net/url"
	"slices"
)

// Enrollment is a record that lets devices in: an individual enrollment, which
// has a registration id, or an enrollment group, which has an id of its own.
// The order of its members is that of the service's logs.
type Enrollment struct {
	EnrollmentGroupID string                      `json:"enrollmentGroupId,omitempty"`
	RegistrationID    string                      `json:"registrationId,omitempty"`
	DeviceID          string                      `json:"deviceId,omitempty"`
	State             *RegistrationState          `json:"registrationState,omitempty"`
	Attestation       Attestation                 `json:"attestation"`
	Capabilities      *Capabilities               `json:"capabilities,omitempty"`
	IoTHubHostName    string                      `json:"iotHubHostName,omitempty"`
	InitialTwin       *InitialTwin                `json:"initialTwin,omitempty"`
	ETag              string                      `json:"etag,omitempty"`
	Provisioning      ProvisioningStatus          `json:"provisioningStatus,omitempty"`
	Reprovision       *ReprovisionPolicy          `json:"reprovisionPolicy,omitempty"`
	Created           Timestamp                   `json:"createdDateTimeUtc,omitzero"`
	LastUpdated       Timestamp                   `json:"lastUpdatedDateTimeUtc,omitzero"`
	Allocation        AllocationPolicy            `json:"allocationPolicy,omitempty"`
	IoTHubs           []string                    `json:"iotHubs,omitempty"`
	CustomAllocation  *CustomAllocationDefinition `json:"customAllocationDefinition,omitempty"`
}

// ID is the registration id or the group's.
func (e Enrollment) ID() string {
	if e.RegistrationID != "" {
		return e.RegistrationID
	}
	return e.EnrollmentGroupID
}

// Shown is the record as DPS shows it to a webhook: the attestation by its type
// alone, the webhook's query masked, the initial twin left out.
func (e Enrollment) Shown() Enrollment {
	e.Attestation = Attestation{Type: e.Attestation.Type}
	e.InitialTwin = nil
	e.State = nil
	e.IoTHubs = slices.Clone(e.IoTHubs)
	if e.CustomAllocation != nil {
		shown := *e.CustomAllocation
		shown.WebhookURL = MaskURL(shown.WebhookURL)
		e.CustomAllocation = &shown
	}
	return e
}

// Attestation says how a device proves who it is.
type Attestation struct {
	Type         AttestationType `json:"type"`
	SymmetricKey *SymmetricKey   `json:"symmetricKey,omitempty"`
	X509         *X509           `json:"x509,omitempty"`
}

// AttestationType names a kind of proof.
type AttestationType string

// The kinds of proof that DPS knows.
const (
	AttestSymmetricKey AttestationType = "symmetricKey"
	AttestX509         AttestationType = "x509"
	AttestTPM          AttestationType = "tpm"
)

// SymmetricKey is the pair of keys of a record; either may be used, so that they
// can be changed one after the other.
type SymmetricKey struct {
	Primary   Key `json:"primaryKey,omitempty"`
	Secondary Key `json:"secondaryKey,omitempty"`
}

// UnmarshalJSON takes an empty key for none: Node's SDK sends one to have a key
// made.
func (k *SymmetricKey) UnmarshalJSON(text []byte) error {
	var given struct{ PrimaryKey, SecondaryKey keyOrNone }
	err := json.Unmarshal(text, &given)
	*k = SymmetricKey{Key(given.PrimaryKey), Key(given.SecondaryKey)}
	return err
}

type keyOrNone Key

func (k *keyOrNone) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	return (*Key)(k).UnmarshalText(text)
}

// Capabilities of the devices of a record.
type Capabilities struct {
	IoTEdge bool `json:"iotEdge"`
}

// ProvisioningStatus says whether a record lets devices in.
type ProvisioningStatus string

// The two of them; an empty one is enabled.
const (
	ProvisioningEnabled  ProvisioningStatus = "enabled"
	ProvisioningDisabled ProvisioningStatus = "disabled"
)

// ReprovisionPolicy says what a repeated registration may change. None is both.
type ReprovisionPolicy struct {
	UpdateHubAssignment bool `json:"updateHubAssignment"`
	MigrateDeviceData   bool `json:"migrateDeviceData"`
}

// AllocationPolicy says who decides on the hub.
type AllocationPolicy string

// The policies of a record; an empty one is hashed.
const (
	AllocateHashed     AllocationPolicy = "hashed"
	AllocateGeoLatency AllocationPolicy = "geoLatency"
	AllocateStatic     AllocationPolicy = "static"
	AllocateCustom     AllocationPolicy = "custom"
)

// CustomAllocationDefinition names the webhook of a record.
type CustomAllocationDefinition struct {
	// WebhookURL holds the function key in its query; show it by MaskURL only.
	WebhookURL string `json:"webhookUrl"`
	APIVersion string `json:"apiVersion"`
}

// AllocationAPIVersion is the version of the types that a webhook is sent.
const AllocationAPIVersion = "2021-10-01"

// MaskURL is a URL as it may be shown: without user and password, and with the query, in
// which Azure Functions take their key, as **** (that is how DPS shows it).
func MaskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return masked
	}
	u.User = nil
	if u.RawQuery != "" {
		u.RawQuery = masked
	}
	u.Fragment = ""
	return u.String()
}
