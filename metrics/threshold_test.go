package metrics_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dpsfleet/metrics"
)

func TestThresholds(t *testing.T) {
	// 10 toasters: 8 assigned after 6.066 s, 2 failed after 4.066 s; 2 ms late each.
	tests := []struct {
		text     string
		met      bool
		observed string
	}{
		{"time_to_assigned p(90) < 8s", true, "6.1s"},
		{"toasters time_to_assigned max < 30s", true, "6.1s"},
		{"time_to_assigned max<6s", false, "6.066s"},
		{"time_to_assigned max == 6066ms", true, "6.1s"},
		{"time_to_assigned p(99.9) > 6s", true, "6.1s"},
		{"time_to_online min >= 6091ms", true, "6.1s"},
		{"time_to_assigned count == 8", true, "8"},
		{"time_to_assigned share >= 80%", true, "80%"},
		{"lateness p(99) < 250ms", true, "2ms"},
		{"dial med <= 1ms", true, "1ms"},
		{"tls avg < 10ms", true, "9ms"},
		{"webhook avg < 1s", true, "227ms"},
		{"webhook count == 10", true, "10"},
		{"polls count == 20", true, "20"},
		{"polls max <= 2", true, "2"},
		{"retries count == 0", true, "0"},
		{"boots count == 10", true, "10"},
		{"boots != 10", false, "10"},
		{"unexpected == 0", false, "2"},
		{"unexpected count <= 2", true, "2"},
		{"unexpected < 20%", false, "20%"},
		{"unexpected <= 20%", true, "20%"},
		{"failed share == 20%", true, "20%"},
		{"failed < 20.1%", true, "20%"},
		{"dropped count == 0", true, "0"},
		{"hub-not-declared == 0", true, "0"},
		{"waiting count == 0", true, "0"},
		// No data is not met, whichever way the comparison goes.
		{"waiting max < 1h", false, "no data"},
		{"waiting max >= 0s", false, "no data"},
		{"heatpumps unexpected == 0", false, "no data"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			c := collector(t, metrics.RunInfo{
				Ours: true, Fleets: []metrics.Fleet{{Name: "toasters"}, {Name: "heatpumps"}},
				Thresholds: []metrics.Threshold{threshold(t, test.text)},
			})
			for i := range 10 {
				id := fmt.Sprint("toaster", i)
				if i < 8 {
					play(c, born("toasters", id, start).online(toastersHub, `{}`), allocated(id, 200, toastersHub))
					continue
				}
				play(c, born("toasters", id, start).failed(400207), allocated(id, 400, ""))
			}
			c.Finish(start.Add(time.Minute))
			r := c.Report(start.Add(time.Minute), metrics.End{}).Thresholds[0]
			if r.Met != test.met || r.Text != test.observed {
				t.Errorf("met %v, observed %s; want %v, %s", r.Met, r.Text, test.met, test.observed)
			}
			if !r.Met && r.Margin > 0 {
				t.Errorf("missed by a margin of %v", r.Margin)
			}
		})
	}
}

func TestThresholdOnACallThatIsNotSeen(t *testing.T) {
	c := collector(t, metrics.RunInfo{Thresholds: []metrics.Threshold{threshold(t, "webhook count == 0")}})
	play(c, born("toasters", "a", start).online(toastersHub, `{}`))
	if r := c.Report(start, metrics.End{}).Thresholds[0]; r.Met || !r.NoData {
		t.Errorf("a webhook that is not ours passed: %+v", r)
	}
}

func TestThresholdMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "column 1: no comparison",
		"unexpected":                        "column 11: no comparison",
		"< 8s":                              "column 1: no metric",
		"time_to_asigned p(90) < 8s":        `column 1: no metric is called "time_to_asigned"; was "time_to_assigned" meant?`,
		"toasters tim_to_assigned max < 1s": `column 10: no metric is called "tim_to_assigned"; was "time_to_assigned" meant?`,
		"tösters  lateness maxx < 1s":       `column 19: no statistic is called "maxx"; was "max" meant?`,
		"speed max < 1s":                    `column 1: no metric is called "speed"; there are time_to_assigned, `,
		"time_to_assigned < 8s":             "column 18: say which time_to_assigned: p(95), min",
		"dial p(101) < 8s":                  `column 6: "p(101)" is not a percentile`,
		"dial p(95 < 8s":                    `column 6: "p(95" is not a percentile`,
		"dial max < 8":                      `column 12: dial max is held against a duration such as 8s, not "8"`,
		"dial max < 8%":                     "a duration such as 8s",
		"dial max < -8s":                    "a duration such as 8s",
		"unexpected count == 8s":            `column 21: unexpected count is held against a number such as 0, not "8s"`,
		"failed share < 8":                  "column 16: failed share is held against a share such as 1%",
		"failed share < 101%":               "a share such as 1%",
		"failed max == 0":                   "column 8: failed has no max; it has count, share",
		"webhook share < 5%":                "webhook has no share",
		"boots < 5%":                        "a number such as 0",
		"dial max =< 8s":                    `column 10: no comparison is called "=<"`,
		"dial max <":                        "column 11: no value after <",
		"dial max < 8 s":                    `column 14: "s" is one word too many`,
		"a b dial max < 8s":                 `column 10: "max" is one word too many`,
		"dial max < NaN":                    "a duration",
		"unexpected < Inf":                  "a number",
		"unexpected < 0":                    "column 14: no run can meet it: nothing is < 0",
		"dial max <0s":                      "no run can meet it: nothing is < 0s",
		"assigned share > 100%":             "no run can meet it: nothing is > 100%",
	} {
		_, err := metrics.ParseThreshold(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}

func TestThresholdJSON(t *testing.T) {
	for in, want := range map[string]string{
		`"unexpected   count==0"`:                                    `"unexpected count == 0"`,
		`{"when":"dial max < 8s"}`:                                   `"dial max < 8s"`,
		`{"after":"30s","when":"lateness p(99)<250ms","abort":true}`: `{"when":"lateness p(99) < 250ms","abort":true,"after":"30s"}`,
	} {
		var parsed metrics.Threshold
		if err := json.Unmarshal([]byte(in), &parsed); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		got, err := parsed.MarshalJSON()
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, %v; want %s", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		`{"when":"dial max < 8s","abrot":true}`:   "abrot",
		`{"when":"dial max < 8s","after":"1s"}`:   "after without abort",
		`{"when":"dial max <","after":"soon"}`:    "column",
		`{"when":"boots == 1","after":"-1s"}`:     "not a duration",
		`{"abort":true}`:                          "no comparison",
		`7`:                                       "a threshold is a text",
		`{"when":"dial mux < 8s","after":"soon"}`: "soon",
	} {
		var parsed metrics.Threshold
		if err := json.Unmarshal([]byte(in), &parsed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", in, err, want)
		}
	}
}

func TestAbortWaitsForItsTimeAndForData(t *testing.T) {
	abort := threshold(t, "failed == 0")
	abort.Abort, abort.After = true, 30*time.Second
	c := collector(t, metrics.RunInfo{Thresholds: []metrics.Threshold{abort, threshold(t, "assigned count > 5")}})
	if r, ok := c.Aborting(start.Add(time.Minute)); ok {
		t.Errorf("aborted without data: %+v", r)
	}
	play(c, born("x", "a", start).failed(400207))
	if _, ok := c.Aborting(start.Add(29 * time.Second)); ok {
		t.Error("aborted before its time")
	}
	if r, ok := c.Aborting(start.Add(30 * time.Second)); !ok || r.Text != "1" {
		t.Errorf("not aborted: %+v", r)
	}
}

func FuzzParseThreshold(f *testing.F) {
	for _, seed := range []string{"unexpected == 0", "toasters time_to_assigned p(99.9) <= 30s", "failed share<1%", "a dial max!=1h2m", "ü < 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := metrics.ParseThreshold(text)
		if err != nil {
			return
		}
		again, err := metrics.ParseThreshold(parsed.String())
		if err != nil || again != parsed {
			t.Errorf("%q became %q, which is %+v, %v", text, parsed, again, err)
		}
	})
}

func ExampleParseThreshold() {
	t, _ := metrics.ParseThreshold("toasters  time_to_assigned p(95)<8s")
	fmt.Println(t)
	_, err := metrics.ParseThreshold("toasters time_to_asigned p(95) < 8s")
	fmt.Println(err)
	// Output:
	// toasters time_to_assigned p(95) < 8s
	// threshold "toasters time_to_asigned p(95) < 8s": column 10: no metric is called "time_to_asigned"; was "time_to_assigned" meant?
}

func TestUnknownFleetOfAThreshold(t *testing.T) {
	_, err := metrics.NewCollector(metrics.RunInfo{
		Fleets:     []metrics.Fleet{{Name: "toasters", Expect: metrics.Expectations{{Outcome: "asigned"}, {Share: "most"}}}},
		Thresholds: []metrics.Threshold{threshold(t, "toaster boots == 1")},
	}, nil)
	for _, want := range []string{`no fleet is called "toaster"`, `was "assigned" meant?`, "expectation 2: share"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}
