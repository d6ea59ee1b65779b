package fleet_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dpsfleet/fleet"
)

func parse(t testing.TB, texts ...string) []fleet.Shape {
	t.Helper()
	shapes := make([]fleet.Shape, len(texts))
	for i, text := range texts {
		shape, err := fleet.ParseShape(text)
		if err != nil {
			t.Fatal(err)
		}
		shapes[i] = shape
	}
	return shapes
}

func TestShapeTextComesBack(t *testing.T) {
	for text, want := range map[string]string{
		"burst":                       "burst",
		"burst 500":                   "burst 500",
		"burst 500 for 30s":           "burst 500 for 30s",
		"constant 10/s":               "constant 10/s",
		"constant 0.5/s for 1m":       "constant 0.5/s for 1m",
		"constant 0/s for 30s":        "constant 0/s for 30s",
		"ramp 10/s to 100/s over 10s": "ramp 10/s to 100/s over 10s",
		"ramp 6/min to 2/h over 1h":   "ramp 6/min to 2/h over 1h",
		"poisson 30/s for 1h30m":      "poisson 30/s for 1h30m",
		"poisson 1000/min for 250ms":  "poisson 1000/min for 250ms",

		"  constant   10/s ":          "constant 10/s",
		"constant 010.50/s over 90s":  "constant 10.5/s for 1m30s",
		"ramp 0/s to 1/s for 3600s":   "ramp 0/s to 1/s over 1h",
		"poisson 30/s over 1h0m0.5s":  "poisson 30/s for 1h0m0.5s",
		"constant 1000000000/s":       "constant 1000000000/s",
		"constant 0.000001/h for 10s": "constant 0.000001/h for 10s",
	} {
		shape, err := fleet.ParseShape(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := shape.String(); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestZeroShapeIsABurst(t *testing.T) {
	if got := (fleet.Shape{}).String(); got != "burst" {
		t.Errorf("the zero shape is %q", got)
	}
}

func TestShapeIsTextInJSON(t *testing.T) {
	var f fleet.Fleet
	const record = `{"Name":"toasters","Count":7,"Start":0,"Arrive":["burst 3 for 1s","poisson 30/s"]}`
	if err := json.Unmarshal([]byte(record), &f); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(f); err != nil || string(got) != record {
		t.Errorf("%s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"Arrive":["bursts 3"]}`), &f); err == nil {
		t.Error("bursts was taken")
	}
}

func TestShapeErrorsSayWhatWasExpected(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `it ends where burst, constant, ramp, poisson is expected`,
		"busrt":                            `"busrt" is unknown; was "burst" meant?`,
		"const 10/s":                       `"const" is unknown; was "constant" meant?`,
		"Poison 10/s":                      `"Poison" is unknown; was "poisson" meant?`,
		"uniform 10/s":                     `"uniform" is unknown; expected is burst, constant, ramp, poisson`,
		"constant":                         `"" is not a rate, as 10/s, 90/min or 0.5/h are`,
		"constant 10":                      `"10" is not a rate, as 10/s, 90/min or 0.5/h are`,
		"constant 10/sec":                  `"10/sec" is not a rate`,
		"constant -1/s":                    `the rate "-1/s" is not a number from 0 to 1000000000 before its /s`,
		"constant NaN/s":                   `the rate "NaN/s" is not a number`,
		"constant 1e3/s":                   `the rate "1e3/s" is not a number`,
		"constant 1000000001/min":          `is not a number from 0 to 1000000000 before its /min`,
		"constant ./s":                     `the rate "./s" is not a number`,
		"constant 10/s until 10s":          `"until" is unknown; expected is for, over`,
		"constant 10/s ove 10s":            `"ove" is unknown; was "over" meant?`,
		"constant 10/s for":                `"for" wants a duration after it, as 30s, 1m30s or 2h; "" is none`,
		"constant 10/s for 10":             `"10" is none`,
		"constant 10/s for 0s":             `"0s" is none`,
		"constant 10/s for 10s 20s":        `"20s" is too much`,
		"constant 10/s for 200000h":        `"200000h" is none`,
		"ramp 10/s":                        `it ends where to is expected`,
		"ramp 10/s 20/s over 1s":           `"20/s" is unknown; expected is to`,
		"ramp 10/s to 100/s":               `a ramp needs a length, as in "over 10s"`,
		"burst 0":                          `a burst of "0" is not a number from 1 to 1000000000`,
		"burst 99999999999999999999":       `is not a number from 1 to 1000000000`,
		"burst for 30s":                    `a burst that takes all has no length; say how many it takes`,
		"burst 10/s":                       `"10/s" is unknown; expected is for, over`,
		strings.Repeat("x", 1000) + " 1/s": `is unknown; expected is burst`,
	} {
		_, err := fleet.ParseShape(text)
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "the arrival shape ") {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
		if len(err.Error()) > 300 {
			t.Errorf("%.20q: the error has %d characters", text, len(err.Error()))
		}
	}
}

func FuzzParseShape(f *testing.F) {
	for _, seed := range []string{
		"burst", "burst 7 for 1s", "constant 0.1/min for 1h1m", "ramp 0/s to 9.99/h over 1ms", "poisson 30/s", "constant 1/s for 1m0.1s",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shape, err := fleet.ParseShape(text)
		if err != nil {
			return
		}
		again, err := fleet.ParseShape(shape.String())
		if err != nil || again != shape {
			t.Fatalf("%q became %q, and that %+v, %v", text, shape, again, err)
		}
		last := int64(-1)
		plan := fleet.Plan{Fleets: []fleet.Fleet{{Count: 50, Arrive: []fleet.Shape{shape, shape}}}}
		for a := range plan.Arrivals() {
			if int64(a.Offset) < last {
				t.Fatalf("%q goes back in time at %d: %v", text, a.Index, a.Offset)
			}
			last = int64(a.Offset)
		}
	})
}
