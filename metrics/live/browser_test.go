package live_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/live"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

// A person opens the page before the run starts, and sees what the report then says.
func TestBrowserFollowsARun(t *testing.T) {
	page := live.New(live.Options{})
	b := open(t, serve(t, page))
	b.until(t, `document.getElementById("verdict").textContent === "Waiting for the run"`)

	s := shipped(t, "contoso-mixed", 0.3)
	second := emulator.Exactly(time.Second)
	s.Cloud.Answers = &scenarios.Answers{Allocate: &second, RetryAfter: &second}
	done := make(chan metrics.Report, 1)
	go func() {
		r, err := scenarios.Run(t.Context(), s, scenarios.Env{Network: scenarios.NetworkMemory, Version: "test", Folds: []metrics.Fold{page.Fold()}})
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	b.until(t, `document.getElementById("verdict").textContent.startsWith("Running")`)
	b.until(t, `document.querySelectorAll("#stages path").length > 0 && document.querySelector("#arrivals path")?.getAttribute("d").length > 20`)
	b.look(t, "running")
	r := <-done
	b.until(t, `document.getElementById("connection").textContent === "The run has ended."`)
	b.look(t, "over")
	text := b.text(t)
	want := []string{strings.Join(strings.Fields(r.Verdict()), " "), fmt.Sprintf("%d of %d", r.Accounted, r.Due), "400207 CustomAllocationFailed", "lateness p(99) < 250ms"}
	for _, f := range r.Fleets {
		want = append(want, f.Name)
	}
	want = append(want, r.Run.Hubs...)
	for _, times := range r.Times {
		want = append(want, times.P99.String())
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the page does not say %q:\n%s", w, text)
		}
	}
	usable(t, b)
	b.clean(t)
}

// usable is what somebody needs who does not see the page, has no mouse, or has a
// phone.
func usable(t *testing.T, b *browser) {
	t.Helper()
	for what, condition := range map[string]string{
		"landmarks":               `document.querySelectorAll("header, main, footer").length === 3`,
		"sections have names":     `[...document.querySelectorAll("section, [role=region]")].every((s) => document.getElementById(s.getAttribute("aria-labelledby"))?.textContent)`,
		"one h1, and no h3 first": `document.querySelectorAll("h1").length === 1 && [...document.querySelectorAll("h1, h2, h3")].every((h, i, all) => i === 0 || +h.tagName[1] <= +all[i - 1].tagName[1] + 1)`,
		"the verdict is told":     `document.getElementById("verdict").getAttribute("aria-live") === "polite"`,
		"pictures have words":     `[...document.querySelectorAll("figure > svg")].every((s) => s.getAttribute("role") === "img" && s.getAttribute("aria-label"))`,
		"pictures have tables":    `(() => { const all = [...document.querySelectorAll("figure details")]; all.forEach((d) => { d.open = true; }); return all.length === 4; })()`,
		"meters have names":       `[...document.querySelectorAll("meter, progress")].every((m) => m.getAttribute("aria-label"))`,
	} {
		if !eval[bool](t, b, condition) {
			t.Errorf("not so: %s", what)
		}
	}
	b.must(t, chromedp.Evaluate[chromedp.Void]("document.body.focus()"), chromedp.KeyEvent(kb.Tab))
	b.until(t, `document.activeElement.className === "skip" && getComputedStyle(document.activeElement).outlineStyle === "solid"`)
	b.until(t, `[...document.querySelectorAll("figure table")].every((table) => table.tBodies[0].rows.length > 0)`)
	for _, width := range []int{390, 1280} {
		b.must(t, viewport(width))
		b.until(t, fmt.Sprintf(`innerWidth === %d && document.documentElement.scrollWidth <= %d`, width, width))
	}
	b.scheme(t, "light")
	light := eval[string](t, b, `getComputedStyle(document.body).backgroundColor`)
	b.scheme(t, "dark")
	if dark := eval[string](t, b, `getComputedStyle(document.body).backgroundColor`); dark == light {
		t.Errorf("dark is as light: %s", dark)
	}
}

// hostile are names and messages that somebody made for whoever looks.
func hostile() []string {
	return []string{
		`<img src=x onerror="document.title='owned'">`,
		`</script><script>document.title="owned"</script>`,
		"\u202emoc.live\u2066 \x1b[2J\x00\r\n",
		`javascript:alert(1)"'` + "`${1}`",
		strings.Repeat("W", 10_000),
	}
}

func TestBrowserShowsHostileTextAsText(t *testing.T) {
	page := live.New(live.Options{})
	b := open(t, serve(t, page))
	start := time.Now()
	c, err := metrics.NewCollector(metrics.RunInfo{Scenario: hostile()[0], Target: hostile()[1], Started: start, Ours: true}, nil, page.Fold())
	if err != nil {
		t.Fatal(err)
	}
	b.until(t, `document.getElementById("scenario").textContent.startsWith("<img")`)
	for i, text := range hostile() {
		at := start.Add(time.Duration(i) * time.Second)
		e := device.Event{Device: fmt.Sprint(i, text), Fleet: text, Boot: 1, To: device.Assigning, At: at}
		c.Event(e)
		e.From, e.To = device.Assigning, device.Failed
		e.Assignment = &device.Assignment{Status: provisioning.Assigned, Hub: text}
		e.Err = &device.Failure{Outcome: device.OutcomeHubNotDeclared, Err: errors.New("the hub " + text)}
		c.Event(e)
		e.Device, e.Boot, e.From, e.To, e.Err = "b"+e.Device, 1, device.Assigning, device.Off, nil
		c.Event(e)
		c.Progress(at)
	}
	b.until(t, `document.querySelectorAll("#outcomes article").length === 2`)
	c.Finish(start.Add(10 * time.Second))
	c.Report(start.Add(10*time.Second), metrics.End{})
	b.until(t, `document.querySelector("#reasons li")`)
	b.look(t, "hostile")
	if title := eval[string](t, b, "document.title"); strings.HasPrefix(title, "owned") {
		t.Error("a script of somebody else's has run")
	}
	for _, forbidden := range []string{"img", "script:not([type=module])", "[onerror]", "a:not(.skip)"} {
		if n := eval[int](t, b, fmt.Sprintf("document.querySelectorAll(%q).length", forbidden)); n > 0 {
			t.Errorf("%d %s", n, forbidden)
		}
	}
	text := b.text(t)
	for _, want := range []string{hostile()[0], hostile()[1], `\u202emoc.live\u2066 \x1b[2J\x00\r`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%.3000s", want, text)
		}
	}
	if strings.ContainsAny(text, "\u202e\u2066\x1b\x00") || strings.Contains(text, strings.Repeat("W", 400)) {
		t.Error("it says what it should not")
	}
	for _, width := range []int{390, 1280} {
		b.must(t, viewport(width))
		b.until(t, fmt.Sprintf(`innerWidth === %d && document.documentElement.scrollWidth <= %d`, width, width))
	}
	b.clean(t)
}
