package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/wording"
)

// FaultAction is what a fault does: one of the words that faultWords has, with
// what it takes.
type FaultAction struct {
	word   string
	text   string // as it was written
	number int    // of status and connack
	wait   latency
	start  time.Duration // of cold start, slow body and throttle
	idle   time.Duration // of cold start
}

// faultWord is a fault that there is, what it takes, and what it does where.
type faultWord struct {
	name  string
	takes string // as a person writes it; empty for nothing
	read  func(a *FaultAction, rest string) error

	webhook func(a FaultAction) allocation.Fault // nil: not there
	dps     []emulator.FaultPoint                // where it touches DPS; none: not there
	hub     []emulator.FaultPoint
	cloud   func(a FaultAction) emulator.Fault // at either
}

// ParseFaultAction reads what a fault does, as "status 503" and "cold start 20s".
func ParseFaultAction(text string) (FaultAction, error) {
	var names []string
	for _, w := range faultWords() {
		names = append(names, w.name)
		rest, found := strings.CutPrefix(text, w.name)
		if !found || rest != "" && rest[0] != ' ' {
			continue
		}
		a := FaultAction{word: w.name, text: text}
		if err := w.read(&a, strings.TrimSpace(rest)); err != nil {
			return FaultAction{}, fmt.Errorf("%.60q: %w", text, err)
		}
		return a, nil
	}
	if meant := wording.Suggestion(lettersOf(text), names); meant != "" {
		return FaultAction{}, fmt.Errorf("%.60q is not a fault%s", text, meant)
	}
	return FaultAction{}, fmt.Errorf("%.60q is not a fault; `dpsfleet help faults` lists them", text)
}

// lettersOf is the beginning of a text without the numbers that follow it.
func lettersOf(text string) string {
	text = text[:min(len(text), 40)] // no fault is as long
	if at := strings.IndexAny(text, "0123456789"); at >= 0 {
		text = text[:at]
	}
	return strings.TrimSpace(text)
}

// String is the action's text.
func (a FaultAction) String() string { return a.text }

// UnmarshalText is ParseFaultAction.
func (a *FaultAction) UnmarshalText(text []byte) (err error) {
	*a, err = ParseFaultAction(string(text))
	return err
}

// kind is the action's word; without one nothing is touched anywhere.
func (a FaultAction) kind() faultWord {
	for _, w := range faultWords() {
		if w.name == a.word {
			return w
		}
	}
	return faultWord{}
}

// places are where the word means something.
func (w faultWord) places() []string {
	var places []string
	if w.webhook != nil {
		places = append(places, atWebhook)
	}
	if len(w.dps) > 0 {
		places = append(places, atDPS)
	}
	if len(w.hub) > 0 {
		places = append(places, atHub)
	}
	return places
}

// points are where in the cloud a fault of that place is felt.
func (w faultWord) points(place string) []emulator.FaultPoint {
	switch place {
	case atDPS:
		return w.dps
	case atHub:
		return w.hub
	}
	return nil
}

// misplaced says why an action does nothing at a place; nil if it does.
func (a FaultAction) misplaced(place string) error {
	w := a.kind()
	places := w.places()
	switch {
	case !slices.Contains(places, place):
		return fmt.Errorf("%s is no fault of %s; it is one at: %s", w.name, placeName(place), strings.Join(places, ", "))
	case w.name == wordStatus && place != atWebhook && a.number < 400:
		return fmt.Errorf("a status from 400 to 599 is an error; %d is none", a.number)
	}
	return nil
}

func readNothing(_ *FaultAction, rest string) error {
	if rest != "" {
		return fmt.Errorf("%.20q is too much", rest)
	}
	return nil
}

func readNumber(low, high int) func(*FaultAction, string) error {
	return func(a *FaultAction, rest string) (err error) {
		a.number, err = strconv.Atoi(rest)
		if err != nil || a.number < low || a.number > high {
			return fmt.Errorf("a number from %d to %d is missing", low, high)
		}
		return nil
	}
}

func readLatency(a *FaultAction, rest string) (err error) {
	a.wait, err = parseLatency(rest)
	return err
}

func readDuration(a *FaultAction, rest string) error {
	d, err := ParseDuration(rest)
	if err != nil || d == 0 || durationOf(d) > longestWait {
		return errors.New("a duration is missing, as 5s")
	}
	a.start = durationOf(d)
	return nil
}

// readRetryAfter takes whole seconds, which is all that a topic can say.
func readRetryAfter(a *FaultAction, rest string) error {
	if rest == "" {
		a.start = 5 * time.Second
		return nil
	}
	if err := readDuration(a, rest); err != nil {
		return err
	}
	if a.start%time.Second != 0 {
		return errors.New("a device is told whole seconds")
	}
	return nil
}

func readColdStart(a *FaultAction, rest string) error {
	start, idle, again := strings.Cut(rest, " after ")
	if again {
		if err := readDuration(a, strings.TrimSpace(idle)); err != nil {
			return err
		}
		a.idle = a.start
	}
	return readDuration(a, strings.TrimSpace(start))
}
