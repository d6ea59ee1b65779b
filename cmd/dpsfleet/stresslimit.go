package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/provisioning/wording"
	"dpsfleet/scenarios"
)

// Rounds of a search begin slow: a webhook that scales has to wake up, too.
const (
	firstRate = 50
	roundTime = 5 * time.Second
)

func (p *program) findLimit(cmd *cobra.Command, s scenarios.Scenario, env scenarios.Env, f *stressFlags) error {
	if !(f.maxRate >= 1 && f.maxRate <= 1e6) { // nor is NaN
		return usage(cmd, "--max-rate %.0f is not a rate from 1 to 1,000,000 a second", f.maxRate)
	}
	if f.run.log != "" || f.run.record.path != "" || f.run.json || f.run.watch.asked() || f.run.files != (reportFlags{}) {
		return usage(cmd, "--find-limit is many runs: --log, --record, --json, --metrics, --ui and files for a report are for one")
	}
	if s.Loads() != "" && env.TargetIsMine != "" && !f.aboveQuota {
		return usage(cmd, "--find-limit goes beyond 16 calls a second; say --above-quota if the webhook is to bear that")
	}
	if len(s.Thresholds) == 0 {
		s.Thresholds = defaultLimit()
	}
	progress := p.progress(f.run.quiet)
	env.Progress = progress.show
	search := scenarios.Search{First: firstRate, Most: f.maxRate, For: roundTime, Round: func(r scenarios.Round) {
		progress.clear()
		p.printRound(r)
	}}
	if cmd.Flags().Changed("for") {
		search.For = f.length
	}
	defer p.collectLess(s.Memory(env))()
	found, err := scenarios.FindLimit(cmd.Context(), s, env, search)
	progress.clear()
	if err != nil {
		return err
	}
	return p.tellLimit(cmd, found)
}

// defaultLimit is what a webhook is held to where nobody says anything.
func defaultLimit() []metrics.Threshold {
	var out []metrics.Threshold
	for _, text := range []string{"time_to_assigned p(99) < 1s", "unexpected share < 1%"} {
		if t, err := metrics.ParseThreshold(text); err == nil {
			out = append(out, t)
		}
	}
	return out
}

func (p *program) printRound(r scenarios.Round) {
	mark := "met  "
	if len(r.GaveWay) > 0 {
		mark = "unmet"
	}
	fmt.Fprintf(p.stdout, "%s  %6.0f/s", mark, r.Rate)
	for _, t := range r.Report.Times {
		if t.Metric == "time_to_assigned" {
			fmt.Fprintf(p.stdout, "  from due p50 %v p99 %v max %v", t.P50, t.P99, t.Max)
		}
	}
	if len(r.GaveWay) > 0 {
		fmt.Fprintf(p.stdout, "  (%s)", wording.Printable(strings.Join(r.GaveWay, "; ")))
	}
	fmt.Fprintln(p.stdout)
}

// tellLimit says what was found, and ends the program with 3 if nothing was.
func (p *program) tellLimit(cmd *cobra.Command, found scenarios.Found) error {
	switch {
	case cmd.Context().Err() != nil:
		fmt.Fprintln(p.stdout, "interrupted")
		return verdictError(metrics.ExitInterrupted)
	case found.Failed == nil:
		fmt.Fprintf(p.stdout, "%.0f/s met all; more was not to be tried (--max-rate)\n", found.Highest)
		return nil
	}
	why := wording.Printable(strings.Join(found.Failed.GaveWay, "; "))
	switch {
	case found.Failed.Limited:
		fmt.Fprintf(p.stdout, "the limit was not found: %.0f/s met all, and what gave way at %.0f/s is this machine, not the webhook: %s\n", found.Highest, found.Failed.Rate, why)
		return verdictError(metrics.ExitLimited)
	case found.Highest == 0:
		fmt.Fprintf(p.stdout, "not even %.0f/s met all; what gave way: %s\n", found.Failed.Rate, why)
		return verdictError(exitUnmet)
	}
	fmt.Fprintf(p.stdout, "%.0f/s is the highest rate that met all; what gave way at %.0f/s: %s\n", found.Highest, found.Failed.Rate, why)
	return nil
}
