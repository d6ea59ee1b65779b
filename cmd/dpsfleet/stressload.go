package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/fleet"
	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

// readTarget completes what is called, and how.
func (f *stressFlags) readTarget(p *program, cmd *cobra.Command, url string) (err error) {
	if f.target.Webhook, err = p.webhookURL(cmd, "URL", url, f.functionKeyFile); err != nil {
		return err
	}
	if err := f.readHTTP(cmd); err != nil {
		return err
	}
	if f.ca != "" {
		if f.target.RootCAs, err = readCA(f.ca); err != nil {
			return err
		}
	}
	requests := &f.target.Requests
	for _, share := range []struct {
		flag, text string
		to         *scenarios.Portion
	}{
		{"--individual", f.individual, &requests.Individual}, {"--repeated", f.repeated, &requests.Repeated}, {"--x509", f.x509, &requests.X509},
	} {
		if share.text == "" {
			continue
		}
		if *share.to, err = scenarios.ParsePortion(share.text); err != nil {
			return usage(cmd, "%s: %w", share.flag, err)
		}
	}
	return nil
}

func (f *stressFlags) readHTTP(cmd *cobra.Command) error {
	settings := &f.target.HTTP
	if f.timeout <= 0 || settings.Connections < 0 {
		return usage(cmd, "--timeout is a time, and --connections a number")
	}
	settings.Timeout = scenarios.Duration(f.timeout)
	if f.noKeepAlive {
		settings.KeepAlive = new(bool)
	}
	settings.Headers = make(map[string]string)
	for _, header := range f.headers {
		name, value, ok := strings.Cut(header, ":")
		if !ok {
			return usage(cmd, "--header %.40q is not NAME: VALUE", header)
		}
		settings.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if err := settings.Check(); err != nil {
		return usage(cmd, "--header: %w", err)
	}
	return nil
}

// load is who calls, and when.
func (f *stressFlags) load(p *program, cmd *cobra.Command, env *scenarios.Env) (scenarios.Scenario, error) {
	stages, err := f.stages(cmd)
	if err != nil {
		return scenarios.Scenario{}, err
	}
	if f.replay != "" {
		return f.replayed(cmd, env, stages)
	}
	s := scenarios.Stress()
	if f.scenario != "" {
		if s, err = p.readScenario(cmd, f.scenario); err != nil {
			return s, err
		}
	}
	s = s.Calling(f.target)
	if len(s.Target.Hubs) == 0 {
		s.Target.Hubs = scenarios.TutorialHubs()
	}
	if s, err = f.bounded(cmd, s); err != nil {
		return s, err
	}
	if f.rate == "max" {
		env.Closed, env.For = true, f.length
	}
	if len(stages) > 0 {
		if s, err = s.Arriving(stages, f.length); err != nil {
			return s, usage(cmd, "%w", err)
		}
	}
	return s, nil
}

// replayed is the run of a recording.
func (f *stressFlags) replayed(cmd *cobra.Command, env *scenarios.Env, stages scenarios.Stages) (scenarios.Scenario, error) {
	if f.scenario != "" || f.findLimit || f.rate == "max" || f.target.Requests != (scenarios.Requests{}) {
		return scenarios.Scenario{}, usage(cmd, "--replay sends what was recorded: --scenario, --find-limit, --rate max, --individual, --repeated and --x509 have no place beside it")
	}
	replay, err := scenarios.ReadReplay(cmd.Context(), f.replay, f.target, stages)
	if err != nil {
		return scenarios.Scenario{}, err
	}
	for _, note := range replay.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "dpsfleet: "+plain(note))
	}
	env.Requests = replay.Requests
	return f.bounded(cmd, replay.Scenario)
}

// Calls at once where nobody says how many.
const (
	openInFlight   = 4096
	closedInFlight = 64
)

// bounded is the scenario with the seed, the limit and the thresholds of the
// command line.
func (f *stressFlags) bounded(cmd *cobra.Command, s scenarios.Scenario) (scenarios.Scenario, error) {
	if cmd.Flags().Changed("seed") {
		s.Seed = f.run.seed
	}
	if len(f.sources) > 0 {
		s.Sources = f.sources
	}
	if err := s.CheckSources(); err != nil {
		return s, usage(cmd, "--source: %w", err)
	}
	switch {
	case f.inFlight < 0:
		return s, usage(cmd, "--in-flight %d is not a number from 1", f.inFlight)
	case f.inFlight > 0:
		s.Limits.InFlight = f.inFlight
	case f.rate == "max":
		s.Limits.InFlight = closedInFlight
	case s.Limits.InFlight == 0:
		s.Limits.InFlight = openInFlight
	}
	for _, text := range f.thresholds {
		t, err := metrics.ParseThreshold(text)
		if err != nil {
			return s, usage(cmd, "--threshold: %w", err)
		}
		s.Thresholds = append(s.Thresholds, t)
	}
	return s, nil
}

// stages are when calls come; none if a scenario or a recording says so.
func (f *stressFlags) stages(cmd *cobra.Command) (scenarios.Stages, error) {
	if err := f.contradicts(cmd); err != nil {
		return nil, err
	}
	texts := f.arrive
	switch {
	case f.rate == "max": // a rate that is not reached puts the devices in order
		texts = []string{fmt.Sprintf("constant %.0f/s", min(100_000, scenarios.MostCalls/2/max(1, f.length.Seconds())))}
	case f.rate != "":
		texts = []string{"constant " + f.rate}
	case len(texts) == 0 && f.scenario == "" && f.replay == "" && !f.findLimit:
		texts = []string{"constant 100/s"}
	}
	var stages scenarios.Stages
	for _, text := range texts {
		shape, err := fleet.ParseShape(text)
		if err != nil {
			return nil, usage(cmd, "%w", err)
		}
		stages = append(stages, shape)
	}
	return stages, nil
}

func (f *stressFlags) contradicts(cmd *cobra.Command) error {
	said := f.rate != "" || len(f.arrive) > 0
	borrowed := f.scenario != "" || f.replay != ""
	switch {
	case len(f.arrive) > 0 && f.rate != "":
		return usage(cmd, "--rate and --arrive both say when calls come")
	case f.findLimit && said:
		return usage(cmd, "--find-limit looks for a rate; --rate and --arrive name one")
	case f.length <= 0:
		return usage(cmd, "--for %v is not a time", f.length)
	case cmd.Flags().Changed("for") && borrowed && !said && !f.findLimit:
		return usage(cmd, "--for goes with --rate or --arrive; a scenario and a recording have a length of their own")
	case cmd.Flags().Changed("for") && f.replay != "":
		return usage(cmd, "--for has no place beside --replay, which sends all that was recorded")
	case cmd.Flags().Changed("max-rate") && !f.findLimit:
		return usage(cmd, "--max-rate is for --find-limit")
	}
	return nil
}
