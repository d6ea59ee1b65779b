package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"dpsfleet/metrics"
)

//go:embed page.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// HTML writes the report as one page that needs nothing beside it: no script, no
// font, no picture, and a policy that would let none in. It is below a megabyte
// whatever the run. The error is w's.
func HTML(w io.Writer, r metrics.Report) error {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, newView(r)); err != nil {
		return fmt.Errorf("filling in the page: %w", err)
	}
	_, err = w.Write(buf.Bytes())
	return err
}

// What the page shows at most, in runes and in rows; the log has all.
const (
	maxLine, maxBody, maxScenario = 300, 500, 40000
	maxRows, maxFleetRows         = 100, 40
	maxCalls, maxStory            = 2, 16
)

// line is text from the wire on the page: what is not printable escaped, and
// what is long cut. The template escapes HTML.
func line(text string) string { return cut(clean(cut(text, maxLine)), maxLine) }

func body(text []byte) string { return cut(clean(cut(string(text), maxBody)), maxBody) }

// view is the report as the template takes it.
type view struct {
	Style   template.CSS // ours
	Title   string
	Verdict []badge
	Direct  bool     // a webhook was called, and no DPS
	Reasons []string // why it is no plain PASS
	Figures []figure
	Facts   []figure

	Thresholds   []check
	Expectations []check
	Fleets       []fleetView
	Charts       []chart
	Times        []timesView
	Unexpected   stories
	Slowest      stories

	Reconciled  check
	Differences []metrics.Difference
	Notes       []string
	Scenario    string
	More        []string // what was left out
}

type badge struct{ Class, Text string }

type figure struct{ Name, Value string }

// check is something that was met, missed or not looked at.
type check struct{ Class, State, Of, Text, Observed string }

type stories struct {
	Boots []story
	Of    string
}

type fleetView struct {
	Name, Due, Ended string
	Class            string
	Places           []placeView
	More             string
}

type placeView struct{ Name, Count, Share, Width, Class, Remark string }

type timesView struct {
	Name  string
	Count string
	Cells []string
}

func newView(r metrics.Report) view {
	v := view{
		Style: template.CSS(pageStyle), Title: "dpsfleet run", Verdict: badges(r), Direct: r.Run.Direct, Reasons: reasons(r),
		Figures: figures(r), Facts: facts(r), Charts: charts(r),
		Unexpected: storiesOf(r.Unexpected, unexpected(r)), Slowest: storiesOf(r.Slowest, 0),
		Reconciled: reconciled(r.Run.Reconciliation), Scenario: clipped(r.Run.Text),
	}
	if r.Run.Scenario != "" {
		v.Title = line(r.Run.Scenario)
	}
	for _, t := range first(&v, r.Thresholds, maxRows, "thresholds") {
		v.Thresholds = append(v.Thresholds, thresholdCheck(t))
	}
	for _, e := range first(&v, r.Expectations, maxRows, "expectations") {
		v.Expectations = append(v.Expectations, expectationCheck(e))
	}
	for _, f := range first(&v, r.Fleets, maxFleetRows, "fleets") {
		v.Fleets = append(v.Fleets, viewOfFleet(f))
	}
	for _, t := range r.Times {
		v.Times = append(v.Times, timesView{
			strings.ReplaceAll(t.Metric, "_", " "), thousands(int(t.Count)),
			spell(t.Min, t.Avg, t.P50, t.P90, t.P95, t.P99, t.Max),
		})
	}
	for _, d := range r.Run.Reconciliation.Differences {
		v.Differences = append(v.Differences, metrics.Difference{ID: line(d.ID), Device: line(d.Device), Cloud: line(d.Cloud)})
	}
	for _, note := range first(&v, r.Run.Notes, maxStory, "notes") {
		v.Notes = append(v.Notes, line(note))
	}
	return v
}

func spell(all ...metrics.Millis) (cells []string) {
	for _, m := range all {
		cells = append(cells, m.String())
	}
	return cells
}

// first are the first of them; what is left out is said.
func first[T any](v *view, all []T, n int, what string) []T {
	if len(all) <= n {
		return all
	}
	v.More = append(v.More, fmt.Sprintf("%s of %s %s are not shown.", thousands(len(all)-n), thousands(len(all)), what))
	return all[:n]
}

func clipped(text string) string {
	lines := strings.Split(cut(text, maxScenario), "\n")
	for i := range lines {
		lines[i] = clean(strings.TrimSuffix(lines[i], "\r"))
	}
	return cut(strings.Join(lines, "\n"), maxScenario)
}

func badges(r metrics.Report) []badge {
	var all []badge
	for _, word := range strings.Fields(r.Verdict()) {
		class := map[string]string{"PASS": "good", "VALID": "plain"}[word]
		if class == "" {
			class = "bad"
		}
		all = append(all, badge{class, word})
	}
	if r.Run.Unverified {
		all = append(all, badge{"bad", "TLS CERTIFICATES NOT VERIFIED"})
	}
	return all
}

// reasons say what stands against the run, each in a sentence.
func reasons(r metrics.Report) (all []string) {
	for _, failure := range r.Failures {
		all = append(all, line(failure))
	}
	for _, limit := range r.Run.Health.Limits {
		all = append(all, "The figures do not speak of the target: "+line(limit))
	}
	if n := r.Run.Reconciliation.Differing; n > 0 {
		all = append(all, "Devices and cloud differ on "+thousands(n)+".")
	}
	missed := 0
	for _, t := range r.Thresholds {
		if !t.Met {
			missed++
		}
	}
	if missed > 0 {
		all = append(all, fmt.Sprintf("%s of %s thresholds missed.", thousands(missed), thousands(len(r.Thresholds))))
	}
	return all[:min(len(all), maxStory)]
}

func figures(r metrics.Report) []figure {
	all := []figure{
		{"due", thousands(r.Due)}, {"accounted for", thousands(r.Accounted)},
		{"dropped", thousands(r.Dropped)}, {"unexpected", thousands(unexpected(r))},
	}
	if t, ok := timesOf(r.Times, "time_to_assigned"); ok {
		all = append(all, figure{"assigned, p50", t.P50.String()}, figure{"p95", t.P95.String()}, figure{"p99", t.P99.String()})
	}
	return append(all, figure{"the run took", r.Took.String()})
}

func unexpected(r metrics.Report) (n int) {
	for _, f := range r.Fleets {
		n += f.Unexpected
	}
	return n
}

func facts(r metrics.Report) []figure {
	all := []figure{{"Target", line(orDash(r.Run.Target))}}
	if r.Run.Scenario != "" { // a log without its X.run.json knows no seed
		all = append(all, figure{"Seed", fmt.Sprint(r.Run.Seed)})
	}
	all = append(all, figure{"Started", r.Run.Started.UTC().Format(time.RFC3339)})
	if r.Run.Ended != nil {
		all = append(all, figure{"Ended", r.Run.Ended.UTC().Format(time.RFC3339)})
	}
	var versions []string
	for name, version := range r.Run.Versions {
		versions = append(versions, line(name)+" "+line(version))
	}
	slices.Sort(versions)
	h := r.Run.Health
	return append(all,
		figure{"Versions", line(strings.Join(versions, ", "))},
		figure{"Generator", fmt.Sprintf("lateness p99 %v, %s boots in flight at the most, recorder blocked for %v", h.LatenessP99, thousands(h.PeakInFlight), h.Blocked)},
		figure{"Machine", machine(r.Run.Machine)},
	)
}

// machine is what the program took of it.
func machine(m metrics.Machine) string {
	if m.CPUs == 0 { // a log without its X.run.json
		return "-"
	}
	text := fmt.Sprintf("%.1f of %d CPUs on average, %.1f in the busiest second, %.0f %% of it collecting garbage; at the most %.0f MiB in the heap, %s goroutines",
		m.CPU, m.CPUs, m.BusiestCPU, 100*m.GC, float64(m.Heap)/(1<<20), thousands(m.Goroutines))
	if m.Files > 0 {
		text += ", " + thousands(m.Files) + " open files"
	}
	return text
}
