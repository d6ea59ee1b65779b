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
	var b strings.Builder
	fmt.Fprintf(&b, "%v  %s", metrics.Millis(p.Elapsed.Truncate(time.Second)), thousands(p.Ended))
	if p.Planned > 0 {
		fmt.Fprintf(&b, " of %s", thousands(p.Planned))
	}
	fmt.Fprintf(&b, " booted  %.0f/s", p.Rate)
	if p.Unexpected > 0 {
		fmt.Fprintf(&b, "  %s unexpected", thousands(p.Unexpected))
	}
	separator := "  "
	for stage, n := range p.Stages {
		if n > 0 {
			fmt.Fprintf(&b, "%s%s %s", separator, device.Stage(stage), thousands(n))
			separator = " · "
		}
	}
	for _, f := range p.Fleets {
		if len(p.Fleets) > 1 {
			fmt.Fprintf(&b, "  %s %s", clean(f.Name), ofPlanned(f))
		}
	}
	return cut(b.String(), opts.Width)
}

func ofPlanned(f metrics.FleetProgress) string {
	if f.Planned == 0 {
		return thousands(f.Ended)
	}
	return thousands(f.Ended) + "/" + thousands(f.Planned)
}

// cut is text in so many columns.
func cut(text string, width int) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
