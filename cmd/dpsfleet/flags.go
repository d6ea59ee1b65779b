package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

// readScenario finds a scenario by the name of a shipped one or by its path, "-" being
// standard input. A name has no dot and no slash, so neither is ever taken for the other.
func (p *program) readScenario(cmd *cobra.Command, name string) (scenarios.Scenario, error) {
	read := scenarios.ReadShipped
	switch {
	case name == "-":
		read = func(string) (scenarios.Scenario, error) { return p.pipedScenario(cmd.Context()) }
	case strings.ContainsAny(name, `./\`):
		read = scenarios.ReadFile
	}
	s, err := read(name)
	var mistakes scenarios.Mistakes
	if err != nil && !errors.As(err, &mistakes) {
		return s, usage(cmd, "%w", err)
	}
	return s, err
}

// pipedScenario reads a scenario from standard input, whose mistakes are in "stdin" and
// whose paths are looked for in the working directory.
func (p *program) pipedScenario(ctx context.Context) (scenarios.Scenario, error) {
	data, err := p.piped(ctx, "the scenario")
	if err != nil {
		return scenarios.Scenario{}, err
	}
	return scenarios.Read("stdin", data, os.DirFS("."))
}

// piped is what standard input has, for the first who asks; what names him in messages.
// A read that waits for somebody to type is left behind at the end of ctx.
func (p *program) piped(ctx context.Context, what string) ([]byte, error) {
	if p.pipedTo != "" {
		return nil, fmt.Errorf("%s: standard input cannot be read twice: %s has read it", what, p.pipedTo)
	}
	p.pipedTo = what
	type input struct {
		data []byte
		err  error
	}
	come := make(chan input, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(p.stdin, mostPiped+1))
		come <- input{data, err}
	}()
	var in input
	select {
	case in = <-come:
	case <-ctx.Done():
		in.err = ctx.Err()
	}
	switch {
	case in.err != nil:
		return nil, fmt.Errorf("%s: reading standard input: %w", what, in.err)
	case len(in.data) > mostPiped:
		return nil, fmt.Errorf("%s: standard input has more than the %d MiB that are read", what, mostPiped>>20)
	}
	return in.data, nil
}

// mostPiped is more than any scenario is.
const mostPiped = 16 << 20

func completeScenarios(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return scenarios.Shipped(), cobra.ShellCompDirectiveDefault
}

// secret reads a one-line secret from a file, "-" being standard input.
func (p *program) secret(ctx context.Context, flag, file string) (string, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = p.piped(ctx, flag)
	} else if data, err = os.ReadFile(file); err != nil {
		err = fmt.Errorf("%s: %w", flag, err)
	}
	return strings.TrimSpace(string(data)), err
}

// keyFile reads a key; no file is no key.
func (p *program) keyFile(ctx context.Context, flag, file string) (provisioning.Key, error) {
	if file == "" {
		return nil, nil
	}
	text, err := p.secret(ctx, flag, file)
	if err != nil {
		return nil, err
	}
	key, err := provisioning.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, file, err)
	}
	return key, nil
}

// readCA reads the file that --ca names.
func readCA(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", file)
	}
	return text, nil
}

// groupKey is the enrollment group's key: the file's, or else the environment's.
func (p *program) groupKey(ctx context.Context, file string) (provisioning.Key, error) {
	if file != "" {
		return p.keyFile(ctx, "--group-key-file", file)
	}
	text := p.getenv("DPS_GROUP_KEY")
	if text == "" {
		return nil, nil
	}
	key, err := provisioning.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("DPS_GROUP_KEY: %w", err)
	}
	return key, nil
}

// targetFlags say which cloud a verb works against; none is the embedded one.
type targetFlags struct {
	endpoint, idScope, ca, gateway, serverName string
	endpoints                                  []string // all of --endpoint
	groupKeyFile, deviceKeyFile                string
	cert, key                                  string
	webhook, functionKeyFile                   string
	hubs, sources                              []string
	insecure                                   bool
	network                                    string
	targetIsMine                               string
	aboveQuota                                 bool
}

func (f *targetFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.network, "network", "tls", "`NETWORK` between devices and cloud: tls, wss (MQTT over WebSocket), tcp (MQTT in the clear) or memory")
	flags.StringVar(&f.webhook, "webhook", "", "your own allocation function's `URL`, called by the embedded DPS instead of the policy")
	flags.StringVar(&f.functionKeyFile, "function-key-file", "", "`FILE` with that function's key (- is standard input); otherwise DPSFLEET_FUNCTION_KEY")
	flags.StringVar(&f.endpoint, "endpoint", "", "`HOST[:PORT]` of a DPS instead of the embedded one; port 8883, or 443 with --network wss; over several of the same DPS, with commas, devices are spread")
	addSources(cmd, &f.sources)
	flags.StringVar(&f.idScope, "id-scope", "", "the id `SCOPE` of that DPS, as 0ne00002193")
	flags.StringVar(&f.groupKeyFile, "group-key-file", "", "`FILE` with the enrollment group's key (- is standard input); otherwise DPS_GROUP_KEY")
	flags.StringVar(&f.deviceKeyFile, "device-key-file", "", "`FILE` with a device's own key, used as it is")
	flags.StringVar(&f.ca, "ca", "", "PEM `FILE` with the root certificate of that DPS and its hubs")
	flags.StringVar(&f.serverName, "server-name", "", "the `NAME` in the certificate of that DPS, where --endpoint is another")
	flags.StringVar(&f.gateway, "gateway", "", "`HOST:PORT` that every hub connection goes to, as GatewayHostName does")
	flags.StringSliceVar(&f.hubs, "hub", nil, "a `HUB` that devices may dial, beside the scenario's")
	flags.BoolVar(&f.insecure, "insecure", false, "take any certificate; the verdict says so")
	flags.StringVar(&f.targetIsMine, "target-is-mine", "", "the `HOST` beyond this machine that is yours to load; several with commas")
	flags.BoolVar(&f.aboveQuota, "above-quota", false, "load it beyond 16 registrations a second")
}

func addSources(cmd *cobra.Command, to *[]string) {
	cmd.Flags().StringSliceVar(to, "source", nil, "connect from this `ADDRESS` of this machine; over several, with commas, devices are spread")
}

// apply turns a scenario to the cloud that the flags name.
func (f *targetFlags) apply(p *program, cmd *cobra.Command, s scenarios.Scenario) (scenarios.Scenario, scenarios.Env, error) {
	env := scenarios.Env{
		Version:      version,
		Network:      scenarios.Network(f.network),
		TargetIsMine: f.targetIsMine,
		AboveQuota:   f.aboveQuota,
	}
	if !slices.Contains(scenarios.Networks(), env.Network) {
		return s, env, usage(cmd, "--network %q is none of tls, wss, tcp and memory", f.network)
	}
	if len(f.sources) > 0 {
		s.Sources = f.sources
	}
	if err := s.CheckSources(); err != nil {
		return s, env, usage(cmd, "--source: %w", err)
	}
	endpoints := strings.Split(f.endpoint, ",")
	for i := range endpoints {
		endpoints[i] = withPort(endpoints[i], env.Network)
	}
	f.endpoint, f.endpoints = endpoints[0], endpoints
	f.gateway = withPort(f.gateway, env.Network)
	if s.Target != nil && s.Target.Webhook != "" && f.endpoint == "" {
		s, err := f.applyDirect(p, cmd, s)
		return s, env, err
	}
	if f.webhook != "" && f.endpoint != "" {
		return s, env, usage(cmd, "--webhook is called by the embedded DPS, and --endpoint names another; a DPS elsewhere has the webhook of its enrollment")
	}
	var err error
	if env.GroupKey, err = p.groupKey(cmd.Context(), f.groupKeyFile); err != nil {
		return s, env, err
	}
	if f.webhook != "" {
		s, err = f.applyWebhook(p, cmd, s)
		return s, env, err
	}
	if f.endpoint != "" || s.Target != nil {
		s, err = f.applyTarget(p, cmd, s, env)
	} else if f.idScope != "" || f.ca != "" || f.gateway != "" || f.insecure || f.serverName != "" || f.deviceKeyFile != "" {
		err = usage(cmd, "--id-scope, --ca, --gateway, --server-name, --device-key-file and --insecure are for a DPS elsewhere, which --endpoint names")
	}
	return s, env, err
}

// withPort adds the port that Azure has for a network where none is named.
func withPort(address string, network scenarios.Network) string {
	if address == "" || strings.Contains(address, ":") && net.ParseIP(address) == nil {
		return address
	}
	return net.JoinHostPort(address, network.DefaultPort())
}

func (f *targetFlags) applyWebhook(p *program, cmd *cobra.Command, s scenarios.Scenario) (scenarios.Scenario, error) {
	if s.Cloud == nil {
		return s, usage(cmd, "--webhook is called by the embedded DPS, and this scenario has a target elsewhere")
	}
	if f.network == string(scenarios.NetworkMemory) {
		return s, usage(cmd, "--webhook is on a network, and --network memory has none; use --network tcp")
	}
	address, err := p.webhookURL(cmd, "--webhook", f.webhook, f.functionKeyFile)
	if err != nil {
		return s, err
	}
	return s.WithWebhook(address), nil
}

// applyDirect is for a scenario whose target is a webhook, which is called without
// a DPS.
func (f *targetFlags) applyDirect(p *program, cmd *cobra.Command, s scenarios.Scenario) (scenarios.Scenario, error) {
	target := *s.Target
	if f.webhook != "" {
		target.Webhook = f.webhook
	}
	var err error
	if target.Webhook, err = p.webhookURL(cmd, "--webhook", target.Webhook, f.functionKeyFile); err != nil {
		return s, err
	}
	if f.ca != "" {
		if target.RootCAs, err = readCA(f.ca); err != nil {
			return s, err
		}
	}
	target.Hubs = append(target.Hubs, f.hubs...)
	target.Insecure = f.insecure
	s.Target = &target
	return s, nil
}

// webhookURL is the URL with the function key in it, as DPS has it: the file's, or
// else the environment's.
func (p *program) webhookURL(cmd *cobra.Command, flag, text, keyFile string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usage(cmd, "%s %q is not a URL, as http://localhost:7071/api/HttpTrigger1 is", flag, provisioning.MaskURL(text))
	}
	if _, err := strconv.ParseUint(cmp.Or(u.Port(), "443"), 10, 16); err != nil {
		return "", usage(cmd, "%s: %s is no port", flag, u.Port())
	}
	query := u.Query()
	if query.Get("code") != "" {
		fmt.Fprintln(p.stderr, "dpsfleet: the function key is in the URL, where the shell's history keeps it; --function-key-file takes it from a file")
	}
	key := p.getenv("DPSFLEET_FUNCTION_KEY")
	if keyFile != "" {
		if key, err = p.secret(cmd.Context(), "--function-key-file", keyFile); err != nil {
			return "", err
		}
	}
	if key != "" {
		query.Set("code", key)
		u.RawQuery = query.Encode()
	}
	return u.String(), nil
}

func (f *targetFlags) applyTarget(p *program, cmd *cobra.Command, s scenarios.Scenario, env scenarios.Env) (scenarios.Scenario, error) {
	target := scenarios.Target{Hubs: s.Hubs()}
	if s.Target != nil {
		target = *s.Target
	}
	if s.Cloud != nil {
		target.IDScope = s.Cloud.IDScope
	}
	for _, set := range []struct {
		value string
		to    *string
	}{
		{f.endpoint, &target.DPS}, {f.idScope, &target.IDScope}, {f.gateway, &target.Gateway},
		{f.serverName, &target.ServerName}, {f.ca, &target.CA},
	} {
		if set.value != "" {
			*set.to = set.value
		}
	}
	host, err := hostOf(cmd, "endpoint", target.DPS, "global.azure-devices-provisioning.net:8883")
	if err != nil {
		return s, err
	}
	if f.endpoint != "" {
		target.Endpoints = f.endpoints[1:]
		if len(target.Endpoints) > 0 {
			target.Endpoints = f.endpoints
		}
	}
	target.Webhook, target.Requests, target.HTTP = "", scenarios.Requests{}, scenarios.HTTP{}
	target.Hubs = append(target.Hubs, f.hubs...)
	target.Insecure = f.insecure
	if target.DeviceKey, err = p.keyFile(cmd.Context(), "--device-key-file", f.deviceKeyFile); err != nil {
		return s, err
	}
	if f.ca != "" {
		if target.RootCAs, err = readCA(f.ca); err != nil {
			return s, err
		}
	}
	if target.Certificate, err = f.certificate(); err != nil {
		return s, err
	}
	if target.GroupKey == nil && target.DeviceKey == nil && env.GroupKey == nil && target.Certificate == nil {
		if !scenarios.Loopback(host) {
			return s, usage(cmd, "whose key do the devices have? name the group's with --group-key-file or DPS_GROUP_KEY, or one device's with --device-key-file")
		}
		target.GroupKey, _ = provisioning.ParseKey(scenarios.TutorialGroupKey)
	}
	if target.IDScope == "" {
		return s, usage(cmd, "--endpoint needs --id-scope")
	}
	s.Cloud, s.Target = nil, &target
	s.Faults = nil
	return s, nil
}
