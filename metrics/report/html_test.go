package report_test

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
)

func written(t *testing.T, write func(io.Writer, metrics.Report) error, r metrics.Report) string {
	t.Helper()
	var b strings.Builder
	if err := write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// spreadOut is a run whose boots come over half a minute and do not all take
// equally long.
func spreadOut(t *testing.T) metrics.Report {
	c := contoso(t, true)
	for i := range 300 {
		fleet, hub := "toasters", toastersHub
		if i%3 == 0 {
			fleet, hub = "heatpumps", heatpumpsHub
		}
		if i%50 == 49 {
			fleet, hub = "strangers", ""
		}
		b := boot(fleet, fmt.Sprintf("device%d", i), hub)
		b.Due = start.Add(time.Duration(i*i*250) * time.Microsecond)
		b.Stages[4].Took += ms(int64(i * 7919 % 997))
		b.Tags = json.RawMessage(`{"deviceType":"toaster"}`)
		sendSame(c, b)
	}
	r := c.Report(start.Add(35*time.Second), metrics.End{Due: 300, PeakInFlight: 180})
	r.Run.Target, r.Run.Text = "the embedded cloud over tls, id scope 0ne00002193", "name: contoso-mixed\nseed: 7\n"
	r.Run.Versions = map[string]string{"dpsfleet": "0.1.0", "go": "go1.26"}
	return r
}

func TestPage(t *testing.T) {
	golden(t, "page.html", written(t, report.HTML, spreadOut(t)))
}

func TestPageOfARunThatFailsSaysSoFirst(t *testing.T) {
	r := failing(t)
	r.Run.Unverified = true
	_, page, _ := strings.Cut(written(t, report.HTML, r), "<body>")
	at := -1
	for _, want := range []string{
		">FAIL<", "GENERATOR-LIMITED", "TLS CERTIFICATES NOT VERIFIED", "stopped after 18 s",
		"2 of 3 thresholds missed", ">Thresholds<", ">missed<", "Where every device landed", "Unexpected boots", "10 of 13; the log has all", "no space left on device",
	} {
		i := strings.Index(page, want)
		if i <= at {
			t.Errorf("%q is at %d, after what came before at %d", want, i, at)
		}
		at = i
	}
}

func TestPageNeedsNothingBesideIt(t *testing.T) {
	page := written(t, report.HTML, spreadOut(t))
	for _, never := range []string{"<script", "http://", "https://", "url(", "@import", "<link", " on", "javascript:"} {
		if never == " on" {
			if found := regexp.MustCompile(`<[^>]*\son[a-z]+=`).FindString(page); found != "" {
				t.Errorf("the page has a handler: %s", found)
			}
			continue
		}
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if !strings.Contains(page, `content="default-src &#39;none&#39;`) && !strings.Contains(page, `content="default-src 'none'`) {
		t.Error("the page has no policy")
	}
}

// hostileReport has text in every place that comes from the wire or a file, as
// long as a log can hold.
func hostileReport(t *testing.T, text string) metrics.Report {
	c := contoso(t, true)
	for i := range 100 {
		b := boot(fmt.Sprint(i%60, text), fmt.Sprint(i, text), text+fmt.Sprint(i))
		b.Error, b.Model, b.Due = text, text, start.Add(time.Duration(i)*time.Second)
		b.Payload, _ = json.Marshal(text)
		b.Desired, b.Tags = b.Payload, b.Payload
		b.Stages[1].Why = text
		for range 12 {
			b.Allocations = append(b.Allocations, metrics.Allocation{Status: 500, Hub: text, Err: text, Request: text, Response: text})
		}
		send(c, b, provisioningState(text))
	}
	r := c.Report(start.Add(time.Minute), metrics.End{Notes: make([]string, 50)})
	r.Run.Scenario, r.Run.Target, r.Run.Text = text, text, strings.Repeat(text+"\n", 40)
	for i := range r.Run.Notes {
		r.Run.Notes[i] = text
		r.Failures = append(r.Failures, text)
		r.Thresholds = append(r.Thresholds, r.Thresholds...)[:3]
	}
	return r
}

func TestNothingFromTheWireIsMarkup(t *testing.T) {
	hostile := "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>]]>&{{.}}\x1b[2J\x00\u202e\u2028`${1}"
	r := hostileReport(t, hostile)
	page := written(t, report.HTML, r)
	if strings.Contains(page, "<img") || strings.Contains(page, "<script") || !strings.Contains(page, "&lt;img src=x onerror") {
		t.Error("markup got through")
	}
	for name, text := range map[string]string{"html": page, "junit": written(t, report.JUnit, r)} {
		for _, c := range text {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Errorf("%s: %q got through", name, c)
				break
			}
		}
	}
}

func TestPageIsBelowAMegabyte(t *testing.T) {
	for _, text := range []string{strings.Repeat("<", 4096), strings.Repeat("\x1b", 4096), strings.Repeat("\u202e", 1300)} {
		if n := len(written(t, report.HTML, hostileReport(t, text))); n > 1<<20 {
			t.Errorf("%d bytes with a run full of %.5q", n, text)
		}
	}
}

func TestPageOfARunWithoutBoots(t *testing.T) {
	page := written(t, report.HTML, metrics.Report{})
	if strings.Contains(page, "<figure") || !strings.Contains(page, "PASS") {
		t.Error(page)
	}
}

func TestChartsAreBoundedWhateverTheRun(t *testing.T) {
	for _, every := range []time.Duration{0, time.Microsecond, time.Second, 24 * time.Hour} {
		c := contoso(t, false)
		for i := range 2000 {
			b := boot("toasters", fmt.Sprint("d", i), toastersHub)
			b.Due = start.Add(time.Duration(i) * every)
			sendSame(c, b)
		}
		r := c.Report(start.Add(time.Minute), metrics.End{})
		due, ended, last := 0, 0, r.Charts.Points[len(r.Charts.Points)-1]
		for _, p := range r.Charts.Points {
			due += p.Due
			ended += p.Outcomes[device.OutcomeAssigned]
		}
		if n := len(r.Charts.Points); n > 120 || due != 2000 || ended != 2000 || last.Stages != [len(last.Stages)]int{} {
			t.Errorf("every %v: %d points, %d due, %d ended, at the end %v", every, n, due, ended, last.Stages)
		}
	}
}
