package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/wording"
	"dpsfleet/scenarios"
)

func (p *program) checkCommand() *cobra.Command {
	scale := 1.0
	cmd := &cobra.Command{
		Use:   "check NAME|FILE",
		Short: "Validate a scenario and print what it will do",
		Long: `Check finds what is wrong with a scenario (- is standard input), all at once,
each with line and column, and prints the plan of one that is right: how many
devices, when, and how long they would take at the limits of a real DPS and real
hubs. It warns of hubs that a policy seeks and that are not linked. It starts nothing.`,
		Example: `  dpsfleet check mine.yaml
  dpsfleet check contoso-mixed --scale 20`,
		Args:              wants("the name or file of a scenario"),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.readScenario(cmd, args[0])
			if err != nil {
				return err
			}
			if err := checkScale(cmd, scale); err != nil {
				return err
			}
			if scale != 1 {
				s = s.Scaled(scale)
			}
			for _, warning := range s.Warnings() {
				fmt.Fprintln(p.stderr, "warning:", wording.Printable(warning.String()))
			}
			p.printOutlook(s)
			return nil
		},
	}
	cmd.Flags().Float64Var(&scale, "scale", 1, "`X` times the devices at X times the rates")
	return cmd
}

func (p *program) printOutlook(s scenarios.Scenario) {
	o := s.Outlook()
	fmt.Fprintln(p.stdout, strings.TrimSuffix(s.Name+": "+wording.PrintableLines(s.About), ": "))
	if s.Target != nil && s.Target.Webhook != "" {
		fmt.Fprintf(p.stdout, "Each device is one call of %s, without a DPS.\n", provisioning.MaskURL(s.Target.Webhook))
	}
	fmt.Fprintln(p.stdout)
	fmt.Fprintf(p.stdout, "%-14s %9s  %10s  %10s  %s\n", "fleet", "devices", "first", "last", "peak")
	for _, f := range o.Fleets {
		p.printPlan(f.Name, f.Plan.Devices, f.Plan.First, f.Plan.Last, f.Plan.Peak)
	}
	p.printPlan("all", o.Plan.Devices, o.Plan.First, o.Plan.Last, o.Plan.Peak)
	p.printBoots(o)
	fmt.Fprintf(p.stdout, "\nAt the limits of the real thing, the tightest first:\n")
	for _, limit := range o.Limits {
		fmt.Fprintf(p.stdout, "  %-60s %s\n", limit.Name, limit.Takes)
	}
}

// printBoots tells of devices that boot more than once.
func (p *program) printBoots(o scenarios.Outlook) {
	if o.Boots == o.Plan.Devices {
		return
	}
	for _, f := range o.Fleets {
		if f.Boots > 1 {
			fmt.Fprintf(p.stdout, "each of %s boots %d times\n", wording.Printable(f.Name), f.Boots)
		}
	}
	fmt.Fprintf(p.stdout, "%d boots in all\n", o.Boots)
}

func (p *program) printPlan(name string, devices int, first, last time.Duration, peak int) {
	fmt.Fprintf(p.stdout, "%-14s %9d  %10s  %10s  %d/s\n",
		wording.Printable(name), devices, first.Round(time.Millisecond), last.Round(time.Millisecond), peak)
}
