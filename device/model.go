package device

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"

	"dpsfleet/provisioning"
)

// Model is a kind of device as data: templates of what its devices call
// themselves and say. A scenario declares others than the two shipped without a
// line of Go.
//
// A template may use {{.N}}, {{.Boot}}, {{.ID}} and {{.Fleet}}, {{if}}, and the
// functions pick, between, uniform, around, hex, pad, choose, desired, number,
// add, lower and upper.
type Model struct {
	// RegistrationID must differ from device to device: use {{.N}}.
	RegistrationID string `json:"registrationId" jsonschema:"minLength=1"`
	// Payload goes with the registration and on to the webhook.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Reported is patched into the twin's reported properties after the desired
	// ones were read, and again when they change.
	Reported json.RawMessage `json:"reported,omitempty"`
	// Telemetry is sent while online.
	Telemetry json.RawMessage `json:"telemetry,omitempty"`
}

// Models are the two of Microsoft's tutorial.
func Models() map[string]Model {
	return map[string]Model{
		"toaster": {
			RegistrationID: "breakroom{{.N}}-contoso-tstrsd-007",
			Payload:        json.RawMessage(tutorialPayload),
			Reported: json.RawMessage(`{"state":"{{desired \"state\" \"ready\"}}",` +
				`"darknessSetting":"{{desired \"darknessSetting\" \"medium\"}}"}`),
			Telemetry: json.RawMessage(`{"darknessSetting":"{{desired \"darknessSetting\" \"medium\"}}",` +
				`"slotTemperature":"{{choose (desired \"darknessSetting\" \"medium\") \"light\" 160 \"medium\" 190 \"dark\" 220 190 | around 4 | number}}"}`),
		},
		"heatpump": {
			RegistrationID: "mainbuilding{{.N}}-contoso-hpsd-088",
			Payload:        json.RawMessage(tutorialPayload),
			Reported: json.RawMessage(`{"state":"{{desired \"state\" \"on\"}}",` +
				`"temperatureSetting":"{{desired \"temperatureSetting\" \"65\"}}"}`),
			Telemetry: json.RawMessage(`{"temperatureSetting":"{{desired \"temperatureSetting\" \"65\"}}",` +
				`"temperature":"{{desired \"temperatureSetting\" \"65\" | around 1.5 | number}}"}`),
		},
	}
}

// tutorialPayload is the one that the tutorial's C sample sends.
const tutorialPayload = `{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0"}`

// With is the model with more members in its payload. Its error is about those.
func (m Model) With(payload json.RawMessage) (Model, error) {
	merged, err := join(m.Payload, payload)
	if err != nil {
		return Model{}, err
	}
	m.Payload = merged
	return m, nil
}

// join puts the members of b behind those of a.
func join(a, b json.RawMessage) (json.RawMessage, error) {
	if len(a) == 0 {
		return b, nil
	}
	if len(b) == 0 {
		return a, nil
	}
	var first, second map[string]json.RawMessage
	if json.Unmarshal(a, &first) != nil || json.Unmarshal(b, &second) != nil {
		return nil, errors.New("must be an object of names and values")
	}
	for name := range second {
		if _, twice := first[name]; twice {
			return nil, fmt.Errorf("the model has a member %q already", name)
		}
	}
	if len(first) == 0 {
		return b, nil
	}
	if len(second) == 0 {
		return a, nil
	}
	head := bytes.TrimSuffix(bytes.TrimSpace(a), []byte("}"))
	tail := bytes.TrimPrefix(bytes.TrimSpace(b), []byte("{"))
	return append(append(bytes.Clone(head), ','), tail...), nil
}

// Kind is a compiled Model, shared by all its devices.
type Kind struct {
	Name string

	id                           *text
	payload, reported, telemetry *document
}

// Compile checks m and makes it ready. All that is wrong with it is in the
// error, a line each.
func (m Model) Compile(name string) (*Kind, error) {
	kind := &Kind{Name: name}
	var errs [5]error
	kind.id, errs[0] = compileText(m.RegistrationID)
	kind.payload, errs[1] = compileDocument(m.Payload)
	kind.reported, errs[2] = compileDocument(m.Reported)
	kind.telemetry, errs[3] = compileDocument(m.Telemetry)
	for i, member := range []string{"registrationId", "payload", "reported", "telemetry"} {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", member, errs[i])
		}
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return kind, kind.dryRun()
}

// dryRun makes the first device of the kind, so that a template that cannot
// work is found before a run and not in it.
func (k *Kind) dryRun() error {
	s := &scope{N: 1, Boot: 1, Fleet: "fleet", rand: rand.New(rand.NewPCG(1, 1))}
	id, err := k.id.render(s)
	if err != nil {
		return fmt.Errorf("registrationId: %w", err)
	}
	if err := provisioning.CheckRegistrationID(id); err != nil {
		return fmt.Errorf("registrationId: %w", err)
	}
	s.ID = id
	for member, doc := range map[string]*document{"payload": k.payload, "reported": k.reported, "telemetry": k.telemetry} {
		if _, err := doc.render(s); err != nil {
			return fmt.Errorf("%s: %w", member, err)
		}
	}
	return nil
}

// Number says which device of which fleet is meant, and under which seed.
type Number struct {
	Fleet string
	N     int // as templates see it
	Boot  int // counts from 1
	Seed  uint64
}

// chance is the device's own source of chance. It depends on the seed, the
// fleet and the number and on nothing else, so a device is the same in whatever
// shard and after whatever change to another fleet.
func (n Number) chance() *rand.Rand {
	h := fnv.New64a()
	io.WriteString(h, n.Fleet)
	return rand.New(rand.NewPCG(n.Seed, h.Sum64()+uint64(n.N)))
}

// ID is the registration id of a device, without the rest of it.
func (k *Kind) ID(n Number) (string, error) {
	return k.id.render(&scope{N: n.N, Boot: n.Boot, Fleet: n.Fleet, rand: n.chance()})
}

// Make makes a device. Its key, and what it does once assigned, are the
// caller's to fill in.
func (k *Kind) Make(n Number) (Device, error) {
	s := &scope{N: n.N, Boot: n.Boot, Fleet: n.Fleet, rand: n.chance()}
	id, err := k.id.render(s)
	if err != nil {
		return Device{}, fmt.Errorf("device %d of %s: %w", n.N, n.Fleet, err)
	}
	s.ID = id
	payload, err := k.payload.render(s)
	if err != nil {
		return Device{}, fmt.Errorf("the payload of %s: %w", id, err)
	}
	if n.Boot > 1 { // the same device, and other pauses
		s.rand = rand.New(rand.NewPCG(s.rand.Uint64(), uint64(n.Boot)))
	}
	return Device{ID: id, Fleet: n.Fleet, Boot: n.Boot, Payload: payload, kind: k, scope: s}, nil
}
