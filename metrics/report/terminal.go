package report

import (
	"fmt"
	"io"
	"strings"

	"dpsfleet/metrics"
)

// Terminal writes the report for a person, the verdict first. The error is w's.
func Terminal(w io.Writer, r metrics.Report, opts Options) error {
	p := &page{opts: opts}
	p.verdict(r)
	p.fleets(r)
	p.times(r)
	p.retries(r)
	p.thresholds(r.Thresholds)
	p.expectations(r.Expectations)
	for _, failure := range r.Failures {
		p.printf("%s %s\n", p.mark(false), clean(failure))
	}
	for _, limit := range r.Run.Health.Limits {
		p.printf("%s the figures do not speak of the target: %s\n", p.mark(false), clean(limit))
	}
	p.unexpected(r)
	p.reconciliation(r)
	for _, note := range r.Run.Notes {
		p.printf("note: %s\n", clean(note))
	}
	return p.writeTo(w)
}

func (p *page) verdict(r metrics.Report) {
	style := bold + ";" + green
	if r.ExitCode() != metrics.ExitMet {
		style = bold + ";" + red
	}
	p.printf("%s  %s due, %s accounted for, %s dropped   %v",
		p.paint(style, r.Verdict()), thousands(r.Due), thousands(r.Accounted), thousands(r.Dropped), r.Took)
	if r.Run.Scenario != "" { // a log without its X.run.json knows no seed
		p.printf("   seed %d", r.Run.Seed)
	}
	if r.Run.Unverified {
		p.printf("   %s", p.paint(style, "TLS CERTIFICATES NOT VERIFIED"))
	}
	p.printf("\n")
}

// times are the run's from due to assigned, and where in it the time went.
func (p *page) times(r metrics.Report) {
	named := make(map[string]metrics.Times, len(r.Times))
	for _, t := range r.Times {
		named[t.Metric] = t
	}
	if r.Run.Direct {
		p.calls(r, named)
		return
	}
	t, ok := named["time_to_assigned"]
	if !ok {
		return
	}
	p.printf("time to assigned  p50 %v p90 %v p95 %v p99 %v max %v", t.P50, t.P90, t.P95, t.P99, t.Max)
	var stages []string
	for _, name := range []string{"dial", "tls", "tls_resumed", "register", "assigning"} {
		if t, ok := named[name]; ok {
			stages = append(stages, fmt.Sprintf("%s %v", name, t.P50))
		}
	}
	if t, ok := named["waiting"]; ok { // not every boot has to
		stages = append(stages, fmt.Sprintf("waiting %v in %s boots", t.P50, thousands(int(t.Count))))
	}
	if len(stages) > 0 {
		p.printf("  (%s)", strings.Join(stages, ", "))
	}
	p.printf("\n")
}

func (p *page) thresholds(results []metrics.ThresholdResult) {
	var cells []string
	for _, r := range results {
		text := clean(r.Threshold.String())
		if !r.Met || !strings.HasSuffix(text, "== "+r.Text) {
			text += ": " + r.Text
		}
		cells = append(cells, p.mark(r.Met)+" "+text)
	}
	p.flow(cells)
}

// flow puts cells side by side as far as they fit.
func (p *page) flow(cells []string) {
	const gap = "   "
	width := p.opts.Width
	if width <= 0 {
		width = 110
	}
	line := 0
	for i, cell := range cells {
		switch n := visible(cell); {
		case i == 0:
			line = n
		case line+len(gap)+n > width:
			p.printf("\n")
			line = n
		default:
			p.printf(gap)
			line += len(gap) + n
		}
		p.printf("%s", cell)
	}
	if len(cells) > 0 {
		p.printf("\n")
	}
}

// expectations says how shares came out and what could not be seen; what else
// was expected is in the table of fleets.
func (p *page) expectations(results []metrics.ExpectationResult) {
	for _, r := range results {
		if r.Share != "" || !r.Passed {
			p.printf("%s %s: %s: %s of %s", p.mark(r.Passed), clean(r.Fleet), clean(r.Expectation), thousands(r.Met), thousands(r.Of))
			if r.Share != "" {
				p.printf(" (asked for %s)", clean(r.Share))
			}
			p.printf("\n")
		}
		if r.TagsUnchecked {
			p.printf("- %s: tags not checked, the cloud is not ours\n", clean(r.Fleet))
		}
	}
}

func (p *page) unexpected(r metrics.Report) {
	total := 0
	for _, f := range r.Fleets {
		total += f.Unexpected
	}
	for _, b := range r.Unexpected {
		p.printf("  %s %s (%s): %s\n", p.mark(false), clean(b.ID), clean(b.Fleet), clean(b.Unmet))
	}
	if more := total - len(r.Unexpected); more > 0 && len(r.Unexpected) > 0 {
		p.printf("  %s\n", p.paint(faint, "and "+thousands(more)+" more"))
	}
}

func (p *page) reconciliation(r metrics.Report) {
	rec := r.Run.Reconciliation
	line := "- devices and cloud: not checked"
	switch {
	case r.Run.Direct:
		line = "- no DPS took part: its answer to each device is what its rules make of the webhook's"
	case rec.Checked && rec.Differing == 0:
		line = p.mark(true) + " devices and cloud agree: " + tally(rec)
	case rec.Checked:
		line = p.mark(false) + " devices and cloud differ on " + thousands(rec.Differing) + "; they agree on " + tally(rec)
	}
	if r.Log != "" {
		line += "        log: " + clean(r.Log)
	}
	p.printf("%s\n", line)
	for _, d := range rec.Differences {
		p.printf("  %s %s heard %s, the cloud says %s\n", p.mark(false), clean(d.ID), clean(d.Device), clean(d.Cloud))
	}
}

func tally(rec metrics.Reconciliation) string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{
		{rec.Assigned, "assigned"},
		{rec.Failed, "failed"},
		{rec.Disabled, "disabled"},
	} {
		if part.n > 0 {
			parts = append(parts, thousands(part.n)+" "+part.what)
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "0 verdicts")
	}
	text := strings.Join(parts, ", ")
	if rec.NeverTold > 0 {
		text += "; " + thousands(rec.NeverTold) + " decided by the cloud, never told"
	}
	return text
}
