package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"dpsfleet/provisioning"
)

// Twin is a device's twin. Its documents keep the order in which their members
// came. Versions start at 1 and grow by 1 with each change (device twins).
type Twin struct {
	Tags            json.RawMessage
	Desired         json.RawMessage
	Reported        json.RawMessage
	DesiredVersion  int64
	ReportedVersion int64
	// Changes counts what back ends changed, tags included; the etag is made of it.
	Changes int64
}

// NewTwin is the twin of a new device. It says what is wrong with an initial
// twin that a hub does not take.
func NewTwin(initial provisioning.InitialTwin) (Twin, error) {
	t := Twin{DesiredVersion: 1, ReportedVersion: 1, Reported: json.RawMessage("{}")}
	var err error
	if t.Desired, err = document(initial.Properties.Desired, maxProperties); err != nil {
		return Twin{}, fmt.Errorf("the desired properties of the initial twin: %w", err)
	}
	if t.Tags, err = document(initial.Tags, maxTags); err != nil {
		return Twin{}, fmt.Errorf("the tags of the initial twin: %w", err)
	}
	return t, nil
}

// JSON is the twin as its device reads it: without tags, without $metadata
// (hub over MQTT, "Retrieving a device twin's properties").
func (t Twin) JSON() []byte {
	desired, reported := withVersion(t.Desired, t.DesiredVersion), withVersion(t.Reported, t.ReportedVersion)
	var o provisioning.Object
	o.Grow(len(desired) + len(reported) + 32)
	o.Raw("desired", desired)
	o.Raw("reported", reported)
	return o.Bytes()
}

func (t Twin) patchReported(patch []byte) (Twin, error) {
	merged, err := patched(t.Reported, patch, maxProperties)
	if err != nil {
		return Twin{}, err
	}
	t.Reported = merged
	t.ReportedVersion++
	return t, nil
}

// patched checks a patch, merges it and checks the sum.
func patched(properties, patch []byte, limit int) (json.RawMessage, error) {
	if err := check(patch, limit); err != nil {
		return nil, err
	}
	merged, err := merge(properties, patch)
	if err != nil {
		return nil, err
	}
	return merged, check(merged, limit)
}

// document checks a whole document; none is an empty one.
func document(text json.RawMessage, limit int) (json.RawMessage, error) {
	if len(text) == 0 || string(text) == "null" {
		return json.RawMessage("{}"), nil
	}
	return text, check(text, limit)
}

// withVersion is an object with $version as its last member, and the rest of it
// as it came.
func withVersion(object []byte, version int64) []byte {
	body := bytes.TrimSpace(object)
	body = bytes.TrimRight(bytes.TrimSuffix(body, []byte("}")), " \t\r\n")
	out := make([]byte, 0, len(body)+24)
	out = append(out, body...)
	if len(bytes.TrimSpace(body)) > 1 {
		out = append(out, ',')
	}
	out = append(out, `"$version":`...)
	return append(strconv.AppendInt(out, version, 10), '}')
}
