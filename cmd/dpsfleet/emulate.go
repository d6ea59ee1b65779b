package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

// emulated is the scenario whose cloud is started where none is named.
const emulated = "contoso-mixed"

func (p *program) emulateCommand() *cobra.Command {
	var flags emulateFlags
	cmd := &cobra.Command{
		Use:   "emulate [SCENARIO]",
		Short: "Run the cloud alone, for your own devices and SDKs",
		Long: `Emulate runs the cloud of a scenario, DPS, hubs and the allocation policy, until
it is stopped, and prints how each SDK is pointed at it. It is a double for
tests, as strict as the service; it is not Azure.

With --https back ends and service SDKs are served too. They connect with the
keys of provisioningserviceowner and iothubowner, which emulate makes as it
starts, or finds in --state; --service-out, --hubs-out and --show-keys hand them
out.

What Microsoft documents nowhere is a setting under cloud: undocumented: in the
scenario. These are its defaults:

` + undocumentedHelp(),
		Example: `  dpsfleet emulate
  dpsfleet emulate mine.yaml --mqtt 127.0.0.1:18883 --ca-out ca.pem
  dpsfleet emulate --https 127.0.0.1:8443 --show-keys
  dpsfleet emulate --mqtt 0.0.0.0:8883 --name dps --name 192.168.1.5 --group-key-out group.key
  dpsfleet emulate --webhook http://localhost:7071/api/HttpTrigger1
  dpsfleet run contoso-mixed --endpoint localhost:8883 --ca dpsfleet-ca.pem --id-scope 0ne00002193`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(cmd, "%q is too much", args[1])
			}
			return nil
		},
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := emulated
			if len(args) == 1 {
				name = args[0]
			}
			return p.emulate(cmd, name, &flags)
		},
	}
	cmd.Flags().StringVar(&flags.mqtt, "mqtt", "127.0.0.1:8883", "`ADDR` to listen on for MQTT; port 0 picks a free one")
	cmd.Flags().StringVar(&flags.https, "https", "", "`ADDR` to listen on for all that speaks HTTP, MQTT over WebSocket and the device API among it; left out, nothing does")
	cmd.Flags().StringSliceVar(&flags.names, "name", nil, "the `HOST`s that clients elsewhere dial it by, names or IP addresses, the first as back ends are told; its certificate has them")
	cmd.Flags().BoolVar(&flags.plain, "plain", false, "MQTT in the clear, without TLS")
	cmd.Flags().StringVar(&flags.caOut, "ca-out", "dpsfleet-ca.pem", "`FILE` for the root certificate that clients are to trust")
	cmd.Flags().StringVar(&flags.webhook, "webhook", "", "your own allocation function's `URL`, called instead of the scenario's policy")
	cmd.Flags().StringVar(&flags.functionKeyFile, "function-key-file", "", "`FILE` with that function's key (- is standard input)")
	cmd.Flags().StringVar(&flags.groupKeyFile, "group-key-file", "", "`FILE` with the enrollment group's key (- is standard input); otherwise DPS_GROUP_KEY")
	cmd.Flags().StringVar(&flags.groupKeyOut, "group-key-out", "", "`FILE` with a key of the enrollment group, which is made unless it is there")
	cmd.Flags().StringVar(&flags.targetIsMine, "target-is-mine", "", "the `HOST` of --webhook, beyond this machine, that is yours to load")
	cmd.Flags().StringVar(&flags.quotas, "quotas", "", "the `LIMITS` that DPS and hubs keep to: none, real, or a factor as 10x and 0.1x; otherwise the scenario's")
	cmd.Flags().StringVar(&flags.state, "state", "", "`FILE` in which enrollments, registrations, twins, messages and certificates outlive emulate; it holds secrets")
	flags.out.flags(cmd)
	flags.metrics.add(cmd)
	cmd.Flags().BoolVar(&flags.fast, "fast", false, "answer at once, not at the pace of the real service")
	return cmd
}

type emulateFlags struct {
	mqtt, https, caOut, webhook, functionKeyFile string
	groupKeyFile, groupKeyOut                    string
	targetIsMine                                 string
	plain, fast                                  bool
	names                                        []string
	quotas, state                                string
	out                                          outFiles
	metrics                                      metricsFlags
}

// mayCall keeps back ends that make enrollments from turning the emulator on
// others.
func (f *emulateFlags) mayCall(host string) error {
	if scenarios.Loopback(host) || strings.EqualFold(host, f.targetIsMine) {
		return nil
	}
	return fmt.Errorf("its webhook on %q is not on this machine; if it is yours to load, emulate with --target-is-mine HOST", host)
}

func undocumentedHelp() string {
	var b strings.Builder
	for _, s := range emulator.Settings() {
		fmt.Fprintf(&b, "  %-26s %-10s %s\n", s.Name, s.Default, s.About)
	}
	return strings.TrimRight(b.String(), "\n")
}

func (p *program) emulate(cmd *cobra.Command, name string, flags *emulateFlags) error {
	s, err := p.readScenario(cmd, name)
	if err != nil {
		return err
	}
	if s.Cloud == nil {
		return usage(cmd, "%s has a target elsewhere, and no cloud to emulate", name)
	}
	if err := flags.out.check(cmd, flags.https); err != nil {
		return err
	}
	if flags.webhook != "" {
		address, err := p.webhookURL(cmd, "--webhook", flags.webhook, flags.functionKeyFile)
		if err != nil {
			return err
		}
		s = s.WithWebhook(address)
	}
	if err := s.Guard(flags.targetIsMine); err != nil {
		return err
	}
	for _, host := range flags.names {
		if err := emulator.CheckName(host); err != nil {
			return usage(cmd, "--name %w", err)
		}
	}
	given, fallback, err := p.emulatedKey(cmd, flags)
	if err != nil {
		return err
	}
	defer p.collectLess(0)()
	config := s.Config(given, fallback)
	config.Address = flags.mqtt
	config.HTTPS = flags.https
	config.Names = flags.names
	config.Listen = flags.listen
	config.TLS = !flags.plain
	config.State = flags.state
	config.MayCall = flags.mayCall
	config.FunctionLog = p.stdout
	config.Log = p.log.logger(p.stderr, slog.LevelInfo)
	if flags.quotas != "" {
		if config.Quotas, err = emulator.ParseQuotas(flags.quotas); err != nil {
			return usage(cmd, "--quotas: %s", err)
		}
	}
	if flags.fast {
		fast := emulator.Fast()
		config.Answers = &fast
	}
	shown, err := flags.metrics.show(cmd)
	if err != nil {
		return err
	}
	defer shown.close()
	shown.record(&config)
	cloud, err := emulator.New(cmd.Context(), config)
	if err != nil {
		return err
	}
	defer cloud.Close()
	shown.count(cloud)
	if err := p.announce(cloud, s, flags); err != nil {
		return err
	}
	<-cmd.Context().Done()
	return nil
}

// emulatedKey is the group's key that is given, or the one for a scenario that has
// none. The tutorial's is known to everybody, so it is for loopback only.
func (p *program) emulatedKey(cmd *cobra.Command, flags *emulateFlags) (given, fallback provisioning.Key, err error) {
	here, err := flags.onThisMachine(cmd)
	if err != nil {
		return nil, nil, err
	}
	if flags.groupKeyFile != "" && flags.groupKeyOut != "" {
		return nil, nil, usage(cmd, "--group-key-file and --group-key-out are two places for the group's key; name one")
	}
	given, err = p.givenKey(cmd.Context(), flags)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case given != nil && isTutorials(given) && !here:
		return nil, nil, errors.New("everybody knows the tutorial's group key; beyond this machine, use another")
	case given != nil:
		return given, nil, nil
	case !here:
		return nil, nil, usage(cmd, "beyond this machine the tutorial's group key is not taken; name one with --group-key-file, or --group-key-out FILE to have one made")
	}
	fallback, err = provisioning.ParseKey(scenarios.TutorialGroupKey)
	return nil, fallback, err
}

// givenKey is the group's key that a flag or the environment says, or nil. A file that
// --group-key-out has made before is taken as it is: clients have that key.
func (p *program) givenKey(ctx context.Context, flags *emulateFlags) (provisioning.Key, error) {
	if flags.groupKeyOut == "" {
		return p.groupKey(ctx, flags.groupKeyFile)
	}
	made := provisioning.NewKey()
	err := writeNew(flags.groupKeyOut, []byte(made.Base64()+"\n"), 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return p.keyFile(ctx, "--group-key-out", flags.groupKeyOut)
	case err != nil:
		return nil, fmt.Errorf("--group-key-out: %w", err)
	}
	return made, nil
}

func isTutorials(key provisioning.Key) bool { return key.Base64() == scenarios.TutorialGroupKey }

// keyOf says where a group's key is to be had.
func keyOf(key provisioning.Key, flags *emulateFlags) string {
	switch {
	case flags.groupKeyOut != "":
		return "in " + flags.groupKeyOut
	case flags.groupKeyFile != "":
		return "in " + flags.groupKeyFile
	case isTutorials(key):
		return "the tutorial's"
	}
	return "the environment's, the scenario's, or made"
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
