package emulator

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/store"
)

// stateVersion is of what a state file holds. It changes when an older program
// would read a newer file wrong, or the other way round.
const stateVersion = "1"

// openState makes the cloud remember, if it is to: enrollments, registrations,
// the hubs' devices with their twins, sessions and messages, the keys of the
// policies, and what certificates the cloud has made.
// The hubs come last, so that a crash leaves no registration whose device is not
// yet at its hub.
func (c *Cloud) openState() error {
	if c.cfg.State == "" {
		return nil
	}
	file, err := store.Open(c.cfg.State, store.Options{
		Version: stateVersion,
		Failed:  func(err error) { c.cfg.Log.Error("the state was not written; it is tried again", "error", err) },
	})
	if err != nil {
		return err
	}
	c.state = file
	return c.keepTables()
}

func (c *Cloud) keepTables() error {
	enrollments := store.Codec[*provisioning.Enrollment]{
		Encode: func(e *provisioning.Enrollment) ([]byte, error) { return e.JSON() },
		Decode: func(row []byte) (*provisioning.Enrollment, bool, error) {
			e, err := provisioning.ParseEnrollment(row)
			return &e, true, err
		},
	}
	declarations := store.Codec[declaration]{
		Encode: func(d declaration) ([]byte, error) { return json.Marshal(d) },
		Decode: func(row []byte) (d declaration, _ bool, err error) { return d, true, json.Unmarshal(row, &d) },
	}
	if err := store.Keep(c.state, "declarations", &c.declared, declarations); err != nil {
		return err
	}
	if err := store.Keep(c.state, "individual enrollments", &c.individuals, enrollments); err != nil {
		return err
	}
	if err := store.Keep(c.state, "enrollment groups", &c.groups, enrollments); err != nil {
		return err
	}
	if err := store.Keep(c.state, "registrations", &c.registrations, store.Codec[registration]{Encode: keep, Decode: recall}); err != nil {
		return err
	}
	for _, name := range c.cfg.LinkedHubs {
		if err := c.hubs[strings.ToLower(name)].Keep(c.state); err != nil {
			return err
		}
	}
	return nil
}

// keptRegistration is a registration as a state file has it. The payload is bytes
// there, because encoding/json rewrites what stands in JSON as JSON.
type keptRegistration struct {
	Registration registration
	Payload      []byte
}

func keep(r registration) ([]byte, error) {
	kept := keptRegistration{Registration: r}
	if r.Operation.Verdict != nil {
		verdict := *r.Operation.Verdict
		kept.Payload, verdict.Payload = verdict.Payload, nil
		kept.Registration.Operation.Verdict = &verdict
	}
	return provisioning.Marshal(kept)
}

// recall reads a registration. An allocation that ran when the process ended is
// lost: its operation is unknown from now on, a device that was assigned before is
// still there, and one that was not has never registered.
func recall(row []byte) (registration, bool, error) {
	var kept keptRegistration
	if err := json.Unmarshal(row, &kept); err != nil {
		return registration{}, false, err
	}
	r := kept.Registration
	if r.Operation.Decided && r.Operation.Verdict != nil {
		r.Operation.Verdict.Payload = kept.Payload
		return r, true, nil
	}
	r.Operation = r.standing()
	return r, r.Hub != "", nil
}

// standing is the operation of a device that is where it is, and of whose last
// registration nothing is known.
func (r registration) standing() operation {
	return operation{Decided: true, Verdict: &provisioning.RegistrationState{
		RegistrationID: r.ID, Created: provisioning.Timestamp{Time: r.Created}, LastUpdated: provisioning.Timestamp{Time: r.Created},
		AssignedHub: r.Hub, DeviceID: r.DeviceID, Status: provisioning.Assigned, Substatus: provisioning.InitialAssignment,
	}}
}

// remembered is the value that the state file has under name, or else what
// produce makes; without a state file it is always made.
func (c *Cloud) remembered(name string, produce func() ([]byte, error)) ([]byte, error) {
	if c.state == nil {
		return produce()
	}
	return c.state.Once(name, produce)
}

// lasting is remembered for a certificate and its private key, in PEM, that
// produce makes for a year. It is made anew in the last month of its life.
func (c *Cloud) lasting(name string, produce func() ([]byte, error)) ([]byte, error) {
	for {
		text, err := c.remembered(name, produce)
		if err != nil || c.state == nil {
			return text, err
		}
		pair, err := tls.X509KeyPair(text, text)
		if err != nil {
			return nil, fmt.Errorf("reading the %s: the state file holds no certificate with its private key", name) // which is not quoted
		}
		if time.Now().AddDate(0, 1, 0).Before(pair.Leaf.NotAfter) {
			return text, nil
		}
		c.cfg.Log.Warn("the " + name + " of the state file expires soon; there is a new one")
		if err := c.state.Forget(name); err != nil {
			return nil, err
		}
	}
}

// authority is the one of a name in the state file, or a new one.
func (c *Cloud) authority(name, subject string) (*provisioning.Authority, error) {
	text, err := c.lasting(name, func() ([]byte, error) {
		made, err := provisioning.NewAuthority(subject, time.Now())
		if err != nil {
			return nil, err
		}
		key, err := made.KeyPEM()
		return append(made.PEM(), key...), err
	})
	if err != nil {
		return nil, err
	}
	authority, err := provisioning.ParseAuthority(text)
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", name, err)
	}
	return authority, nil
}

// makeOwners makes the keys of the policies, or finds those of the state file.
func (c *Cloud) makeOwners() error {
	c.owners = make(map[string]provisioning.Key, 2)
	for _, policy := range []string{dpsOwner, hubOwner} {
		key, err := c.remembered("key of "+policy, func() ([]byte, error) { return provisioning.NewKey(), nil })
		if err != nil {
			return err
		}
		c.owners[policy] = key
	}
	return nil
}
