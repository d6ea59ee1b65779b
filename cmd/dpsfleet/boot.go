package main

import (
	"encoding/json"
	"errors"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

func (p *program) bootCommand() *cobra.Command {
	var target targetFlags
	var flags bootFlags
	cmd := &cobra.Command{
		Use:   "boot --registration-id ID",
		Short: "Boot one device and print what Microsoft's C sample prints",
		Long: `Boot boots one device through the embedded DPS, or through the one that
--endpoint names, and prints what prov_dev_client_sample of Microsoft's C SDK
prints, with the log of the allocation function beside it where that is ours.
Then the device reads its initial twin at its hub.

Exit codes: 0 assigned, 3 not assigned, 130 interrupted, 1 could not run, 2 wrong
usage.`,
		Example: `  dpsfleet boot --registration-id breakroom499-contoso-tstrsd-007
  dpsfleet boot --registration-id mainbuilding167-contoso-hpsd-088
  dpsfleet boot --registration-id doorbell1 --payload '{"model":"doorbell"}'
  dpsfleet boot --registration-id ID --endpoint localhost:8883 --ca dpsfleet-ca.pem --id-scope 0ne00002193
  dpsfleet boot --registration-id ID --endpoint localhost:8883 --ca dpsfleet-ca.pem --id-scope 0ne00002193 --cert ID.pem --key ID.key`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.boot(cmd, &target, &flags) },
	}
	target.add(cmd)
	target.addCertificate(cmd)
	cmd.Flags().StringVar(&flags.id, "registration-id", "", "the device's registration `ID`")
	cmd.Flags().StringVar(&flags.payload, "payload", "", "the `JSON` that goes with the registration; the tutorial's if not given")
	cmd.Flags().StringVar(&flags.scenario, "scenario", "contoso-boot", "the `NAME|FILE` whose cloud is started")
	cmd.Flags().StringVar(&flags.until, "until", string(device.UntilTwin), "the `STAGE` that it boots to: assigned or twin")
	return cmd
}

type bootFlags struct{ id, payload, scenario, until string }

// oneDevice is a scenario's cloud with one fleet of one device in it.
func (p *program) oneDevice(cmd *cobra.Command, flags *bootFlags) (scenarios.Scenario, error) {
	s, err := p.readScenario(cmd, flags.scenario)
	if err != nil {
		return s, err
	}
	if flags.id == "" {
		return s, usage(cmd, "--registration-id is missing")
	}
	if err := provisioning.CheckRegistrationID(flags.id); err != nil {
		return s, usage(cmd, "--registration-id: %w", err)
	}
	if flags.until != string(device.UntilTwin) && flags.until != string(device.UntilAssigned) {
		return s, usage(cmd, "--until %q is neither assigned nor twin", flags.until)
	}
	model := device.Models()["toaster"]
	if strings.Contains(flags.id, "-contoso-hpsd-088") {
		model = device.Models()["heatpump"]
	}
	model.RegistrationID = flags.id
	if flags.payload != "" {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(flags.payload), &object); err != nil || object == nil {
			return s, usage(cmd, "--payload is not a JSON object")
		}
		model.Payload = json.RawMessage(flags.payload)
	}
	const name = "device"
	s.Name = "boot"
	s.Models = map[string]device.Model{name: model}
	s.Fleets = scenarios.Fleets{{Name: name, Model: name, Count: 1, Until: device.Until(flags.until)}}
	s.Thresholds, s.Faults = nil, nil
	return s, nil
}

func (p *program) boot(cmd *cobra.Command, target *targetFlags, flags *bootFlags) error {
	s, err := p.oneDevice(cmd, flags)
	if err != nil {
		return err
	}
	if host, _, _ := net.SplitHostPort(withPort(target.endpoint, scenarios.Network(target.network))); scenarios.Loopback(host) {
		// An emulator in another process, whose hubs are all behind the same
		// address: those of its default scenario are meant as well.
		if mixed, err := scenarios.ReadShipped(emulated); err == nil {
			target.hubs = append(target.hubs, mixed.Hubs()...)
		}
	}
	if err := target.checkCertificate(cmd); err != nil {
		return err
	}
	s, env, err := target.apply(p, cmd, s)
	if err != nil {
		return err
	}
	out := newSample(p.stdout)
	env.Watch = scenarios.Watch{Event: out.event, Heard: out.heard}
	env.FunctionLog = out.functionLog()
	out.begin()
	r, err := scenarios.Run(cmd.Context(), s, env)
	var setup *scenarios.SetupError
	switch {
	case errors.As(err, &setup):
		return setup
	case err != nil:
		return err
	case r.Run.Interrupted:
		return verdictError(r.ExitCode())
	case assigned(r):
		return nil
	}
	return verdictError(exitUnmet)
}

func assigned(r metrics.Report) bool {
	return len(r.Fleets) == 1 && r.Fleets[0].Outcomes[device.OutcomeAssigned] == 1
}
