package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/wording"
)

// Expectation is how a boot should end. What is left out may be anything, but
// for the outcome: it is assigned, unless there is a code.
type Expectation struct {
	Outcome device.Outcome `json:"outcome,omitempty"`
	Hub     string         `json:"hub,omitempty"` // a glob: * is any run of characters, ? any one
	Code    ExpectedCode   `json:"code,omitempty"`
	// Desired, Tags and Payload are JSON objects whose members must be there;
	// others may be beside them.
	Desired json.RawMessage `json:"desired,omitempty"`
	Tags    json.RawMessage `json:"tags,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	// Share says how much of the fleet must end so, as in ">= 99%"; empty for
	// any part. A boot counts for the first expectation that it meets.
	Share string `json:"share,omitempty"`
}

// outcome is the outcome that is asked for, empty for any.
func (e Expectation) outcome() device.Outcome {
	if e.Outcome == "" && e.Code == 0 {
		return device.OutcomeAssigned
	}
	return e.Outcome
}

// Check says what is wrong with the expectation, all of it, each beginning with
// the member's name.
func (e Expectation) Check() error {
	return errors.Join(
		e.checkOutcome(),
		e.checkHub(),
		checkObject("desired", e.Desired),
		checkObject("tags", e.Tags),
		checkObject("payload", e.Payload),
		CheckShare(e.Share),
		e.checkSense(),
	)
}

func (e Expectation) checkOutcome() error {
	if e.Outcome == "" || slices.Contains(device.Outcomes(), e.Outcome) {
		return nil
	}
	var names []string
	for _, o := range device.Outcomes() {
		names = append(names, string(o))
	}
	if meant := wording.Suggestion(string(e.Outcome), names); meant != "" {
		return fmt.Errorf("outcome: none is called %q%s", e.Outcome, meant)
	}
	return fmt.Errorf("outcome: none is called %q; there are %s", e.Outcome, strings.Join(names, ", "))
}

func (e Expectation) checkHub() error {
	if _, err := path.Match(e.Hub, ""); err != nil {
		return fmt.Errorf("hub: %q is not a pattern such as *-toasters-*: a bracket is not closed", e.Hub)
	}
	return nil
}

func checkObject(name string, raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return fmt.Errorf("%s: expected an object of members", name)
	}
	return nil
}

// checkSense finds what no boot can meet.
func (e Expectation) checkSense() error {
	switch e.outcome() {
	case device.OutcomeAssigned:
		if e.Code != 0 {
			return fmt.Errorf("code: a boot that ends assigned has none")
		}
	case device.OutcomeFailed, device.OutcomeDisabled, device.OutcomeDropped:
		if e.Hub != "" || len(e.Desired) > 0 || len(e.Payload) > 0 || len(e.Tags) > 0 {
			return fmt.Errorf("outcome: a boot that ends %s has no hub, desired properties, tags or payload", e.Outcome)
		}
	}
	return nil
}

// String is the expectation as one says it, its share apart: assigned, hub
// *-toasters-*.
func (e Expectation) String() string {
	var parts []string
	if o := e.outcome(); o != "" {
		parts = append(parts, string(o))
	}
	if e.Hub != "" {
		parts = append(parts, "hub "+e.Hub)
	}
	if e.Code != 0 {
		parts = append(parts, provisioning.Code(e.Code).String())
	}
	for _, object := range []struct {
		name string
		raw  json.RawMessage
	}{{"desired", e.Desired}, {"tags", e.Tags}, {"payload", e.Payload}} {
		if len(object.raw) > 0 {
			parts = append(parts, object.name+" "+text(string(compact(object.raw))))
		}
	}
	return strings.Join(parts, ", ")
}

// ExpectedCode is a code that may be written as its number or its name.
type ExpectedCode provisioning.Code

// UnmarshalJSON reads a number or a text.
func (c *ExpectedCode) UnmarshalJSON(data []byte) error {
	name := string(data)
	if bytes.HasPrefix(data, []byte(`"`)) {
		if err := json.Unmarshal(data, &name); err != nil {
			return err
		}
	}
	code, err := provisioning.ParseCode(name)
	if err != nil {
		return fmt.Errorf("code: %w", err)
	}
	*c = ExpectedCode(code)
	return nil
}

// Expectations are a fleet's: each boot must meet one. In JSON they are a list,
// or one alone without its brackets. None is the one that every device is
// assigned.
type Expectations []Expectation

// UnmarshalJSON reads a list or one expectation, strictly.
func (es *Expectations) UnmarshalJSON(data []byte) error {
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if !bytes.HasPrefix(data, []byte("{")) {
		return strict.Decode((*[]Expectation)(es))
	}
	var one Expectation
	if err := strict.Decode(&one); err != nil {
		return err
	}
	*es = Expectations{one}
	return nil
}
