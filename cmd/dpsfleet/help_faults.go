package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/scenarios"
)

// faultsTopic is `dpsfleet help faults`.
func (p *program) faultsTopic() *cobra.Command {
	topic := &cobra.Command{
		Use:   "faults",
		Short: "What a scenario can have go wrong, and what comes of it at a device",
	}
	topic.SetHelpFunc(func(*cobra.Command, []string) { fmt.Fprint(p.stdout, faultsText()) })
	return topic
}

func faultsText() string {
	var b strings.Builder
	b.WriteString(`Faults are rows of a scenario, at the webhook, at DPS or at the hub:

  faults:
    - {at: webhook, during: 4s..8s, fleets: [toasters], share: 20%, do: status 503}
    - {at: dps, share: 5%, do: throttle}
    - {at: hub, do: connack 3}

during counts from the start of the run; without it a fault stays. A share is of
the devices: a hash of seed and registration id picks the same ones in every run
with that seed. Of several faults that would touch the same call the first does. A
fault that touched nothing fails the run, and ` + "`dpsfleet check`" + ` says so beforehand
where it can be seen.

`)
	fmt.Fprintf(&b, "  %-46s %s\n", "do", "at")
	for _, use := range scenarios.FaultUses() {
		fmt.Fprintf(&b, "  %-46s %s\n", strings.TrimSpace(use.Name+" "+use.Takes), strings.Join(use.At, ", "))
	}
	b.WriteString(`
A latency is each device's own: drawn once from its range, or from a log-normal
distribution that has these two quantiles.

How a boot ends, and what the device does:
`)
	at := ""
	for _, row := range scenarios.FaultYields() {
		if row.At != at {
			at = row.At
			fmt.Fprintf(&b, "\nat: %s\n", at)
		}
		fmt.Fprintf(&b, "  %-24s %s\n%s", row.Do, endings(row), wrapped(row.Device, "      ", 80))
	}
	return b.String()
}

// endings says how a boot ends with a fault that stays, and with one that passes.
func endings(row scenarios.FaultYield) string {
	text := endingText(row.Lasts)
	if row.Passes != row.Lasts {
		text += "; " + endingText(row.Passes) + " if it passes in time"
	}
	return text
}

func endingText(e scenarios.Ending) string {
	if e.Code == 0 {
		return string(e.Outcome)
	}
	return fmt.Sprintf("%s %s", e.Outcome, e.Code)
}

// wrapped is a text in lines of at most width, each after a margin.
func wrapped(text, margin string, width int) string {
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(margin)+len(line)+1+len(word) > width {
			fmt.Fprintf(&b, "%s%s\n", margin, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	fmt.Fprintf(&b, "%s%s\n", margin, line)
	return b.String()
}
