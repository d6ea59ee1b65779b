package report

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// Progress is where a run stands, on one line without its end: time, boots ended
// of those planned, their rate, and how many devices are in each stage. It is
// cut to opts.Width.
func Progress(p metrics.Progress, opts Options) string {
	line := standing(p)
	if stages := stageLine(p.Stages); stages != "" {
		line += "  " + stages
	}
	for _, f := range p.Fleets {
		if len(p.Fleets) > 1 {
			line += "  " + clean(f.Name) + " " + ofPlanned(f)
		}
	}
	return cut(line, opts.Width)
}

// standing is the run as a whole.
func standing(p metrics.Progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", wholeSeconds(p.Elapsed.Truncate(time.Second)), thousands(p.Ended))
	if p.Planned > 0 {
		fmt.Fprintf(&b, " of %s", thousands(p.Planned))
	}
	done := "booted"
	if p.Direct {
		done = "called"
	}
	fmt.Fprintf(&b, " %s  %.0f/s", done, p.Recent)
	if p.Left > 0 {
		fmt.Fprintf(&b, "  about %s left", wholeSeconds(max(p.Left, time.Second)))
	}
	if p.Unexpected > 0 {
		fmt.Fprintf(&b, "  %s unexpected", thousands(p.Unexpected))
	}
	return b.String()
}

// wholeSeconds is a duration that need not be known better than to the second.
func wholeSeconds(d time.Duration) string {
	if d = d.Round(time.Second); d < time.Minute {
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return metrics.Millis(d).String()
}

func stageLine(stages metrics.Stages) string {
	var parts []string
	for stage, n := range stages {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", device.Stage(stage), thousands(n)))
		}
	}
	return strings.Join(parts, " · ")
}

func ofPlanned(f metrics.FleetProgress) string {
	if f.Planned == 0 {
		return thousands(f.Ended)
	}
	return thousands(f.Ended) + "/" + thousands(f.Planned)
}

const (
	barColumns = 24
	// maxDisplayed bounds the fleets that have a line each.
	maxDisplayed = 8
)

// Display is where a run stands, on a few lines for a terminal: the run, its
// devices by stage, and each of its fleets. Each is cut to opts.Width.
func Display(p metrics.Progress, opts Options) []string {
	out := &page{opts: opts}
	lines := []string{doneBar(p.Ended, p.Planned) + "  " + standing(p)}
	if opts.Width > 0 && visible(lines[0]) > opts.Width {
		lines[0] = standing(p)
	}
	if stages := stageLine(p.Stages); stages != "" {
		lines = append(lines, stages)
	}
	if len(p.Fleets) > 1 {
		lines = append(lines, fleetLines(p.Fleets)...)
	}
	for i := range lines {
		lines[i] = cut(lines[i], opts.Width)
		if i > 0 {
			lines[i] = out.paint(faint, lines[i])
		}
	}
	return lines
}

func fleetLines(fleets []metrics.FleetProgress) []string {
	more := len(fleets) - maxDisplayed
	fleets = fleets[:min(len(fleets), maxDisplayed)]
	wide := 0
	for _, f := range fleets {
		wide = max(wide, utf8.RuneCountInString(clean(f.Name)))
	}
	var lines []string
	for _, f := range fleets {
		line := fmt.Sprintf("%-*s  %s", wide, clean(f.Name), ofPlanned(f))
		if f.Unexpected > 0 {
			line += "  " + thousands(f.Unexpected) + " unexpected"
		}
		lines = append(lines, line)
	}
	if more > 0 {
		lines = append(lines, "and "+thousands(more)+" fleets more")
	}
	return lines
}

// doneBar is how much is done; without a plan nobody knows.
func doneBar(done, of int) string {
	full := 0
	if of > 0 {
		full = min(barColumns, barColumns*done/of)
	}
	return strings.Repeat("━", full) + strings.Repeat("┄", barColumns-full)
}

// Visible is how many columns text takes on a terminal, its colours apart.
func Visible(text string) int { return visible(text) }

// cut is text in so many columns.
func cut(text string, width int) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
