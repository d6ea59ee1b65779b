package provisioning

import (
	"encoding/json"
	"errors"
	"fmt"
)

// JSON is the record with its keys, its members in the order of the service's
// and its initial twin as it came.
func (e Enrollment) JSON() ([]byte, error) {
	var o Object
	o.TextIf("enrollmentGroupId", e.EnrollmentGroupID)
	o.TextIf("registrationId", e.RegistrationID)
	o.TextIf("deviceId", e.DeviceID)
	if e.State != nil {
		o.Raw("registrationState", e.State.JSON())
	}
	var failed error
	add := func(key string, value any, there bool) {
		if !there {
			return
		}
		text, err := Marshal(value)
		failed = errors.Join(failed, err)
		o.Raw(key, text)
	}
	add("attestation", e.Attestation, true)
	add("capabilities", e.Capabilities, e.Capabilities != nil)
	o.TextIf("iotHubHostName", e.IoTHubHostName)
	if e.InitialTwin != nil {
		o.Raw("initialTwin", e.InitialTwin.JSON())
	}
	o.TextIf("etag", e.ETag)
	o.TextIf("provisioningStatus", string(e.Provisioning))
	add("reprovisionPolicy", e.Reprovision, e.Reprovision != nil)
	o.TextIf("createdDateTimeUtc", e.Created.String())
	o.TextIf("lastUpdatedDateTimeUtc", e.LastUpdated.String())
	o.TextIf("allocationPolicy", string(e.Allocation))
	add("iotHubs", e.IoTHubs, len(e.IoTHubs) > 0)
	add("customAllocationDefinition", e.CustomAllocation, e.CustomAllocation != nil)
	if failed != nil {
		return nil, fmt.Errorf("writing the enrollment %q: %w", e.ID(), failed)
	}
	return o.Bytes(), nil
}

// ParseEnrollment reads a record. Members that it does not know are left out, as
// those of a newer api-version are.
func ParseEnrollment(text []byte) (Enrollment, error) {
	var e Enrollment
	if err := json.Unmarshal(text, &e); err != nil {
		return Enrollment{}, fmt.Errorf("the enrollment: %w", err)
	}
	return e, nil
}

// JSON is the twin with its documents as they came.
func (t InitialTwin) JSON() []byte {
	var o, properties Object
	properties.Raw("desired", t.Properties.Desired)
	o.Raw("properties", properties.Bytes())
	o.Raw("tags", t.Tags)
	return o.Bytes()
}
