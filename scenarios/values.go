package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"dpsfleet/fleet"
)

// Duration is a time.Duration as a scenario writes it: 3s, 1m30s.
type Duration time.Duration

// ParseDuration reads one.
func ParseDuration(text string) (Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%.40q is not a duration, as 250ms, 3s and 1m30s are", text)
	}
	return Duration(d), nil
}

// MarshalText and UnmarshalText are the duration as a scenario writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// Stages are a fleet's arrivals: one shape, or a list of them in order.
type Stages []fleet.Shape

// UnmarshalJSON takes a text or a list of texts.
func (s *Stages) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]fleet.Shape)(s))
	}
	var one fleet.Shape
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*s = Stages{one}
	return nil
}

// Fleets are a scenario's, in the order of the file. In JSON they are an object.
type Fleets []Fleet

// UnmarshalJSON keeps the order, which a map would lose.
func (fs *Fleets) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return errors.New("fleets must be an object")
	}
	*fs = nil
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var f Fleet
		if err := decoder.Decode(&f); err != nil {
			return err
		}
		f.Name, _ = name.(string)
		*fs = append(*fs, f)
	}
	return nil
}

// TLSVersion is a version of TLS as a scenario writes it: 1.2 or 1.3.
type TLSVersion string

// Window is a part of a run, as 4s..8s, counted from its start.
type Window struct{ From, To time.Duration }

// ParseWindow reads one.
func ParseWindow(text string) (Window, error) {
	from, to, ok := strings.Cut(text, "..")
	start, err := time.ParseDuration(strings.TrimSpace(from))
	end, err2 := time.ParseDuration(strings.TrimSpace(to))
	if !ok || err != nil || err2 != nil || start < 0 || end <= start {
		return Window{}, fmt.Errorf("%.40q is not a part of a run, as 0s..8s is", text)
	}
	return Window{start, end}, nil
}

// UnmarshalText is ParseWindow.
func (w *Window) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWindow(string(text))
	return err
}

func durationOf(d Duration) time.Duration { return time.Duration(d) }
