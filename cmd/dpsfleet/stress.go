package main

import (
	"time"

	"github.com/spf13/cobra"

	"dpsfleet/scenarios"
)

func (p *program) stressCommand() *cobra.Command {
	var f stressFlags
	cmd := &cobra.Command{
		Use:   "stress URL",
		Short: "Call an allocation webhook as DPS would, as fast as you like, and check every answer",
		Long: `Stress sends a webhook the requests that DPS would send it, without a DPS, and
holds every answer against DPS's own table: status, JSON, hub, twin and payload.
Calls are due at their rate and wait for nobody (open model): latency counts from
when a call was due, and the report has the uncorrected figure beside it. --rate
max is a closed model: --in-flight calls at any time, as fast as they end.

Headers, HTTP/2, connections and the time-out are yours to say: what DPS does there
is documented nowhere. Redirects are not followed. DPS's retries are not made.
--find-limit looks for the highest rate at which the thresholds are still met,
which are p(99) under a second and 1 % of the calls unexpected if you name none.`,
		Example: `  dpsfleet stress http://localhost:7071/api/HttpTrigger1 --rate 500/s --for 30s
  dpsfleet stress URL --arrive 'ramp 10/s to 500/s over 30s' --for 1m --threshold 'time_to_assigned p(99) < 500ms'
  dpsfleet stress URL --scenario webhook-stress --function-key-file key
  dpsfleet stress URL --rate 200/s --for 10m --ui 127.0.0.1:8080
  dpsfleet stress URL --find-limit
  dpsfleet stress URL --rate max --in-flight 64 --for 10s --no-log
  dpsfleet stress URL --replay before.ndjson --record after.ndjson`,
		Args: wants("the URL of a webhook"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.stress(cmd, args[0], &f) },
	}
	f.addLoad(cmd)
	f.addCall(cmd)
	f.run.watch.add(cmd)
	f.run.record.add(cmd)
	f.run.files.add(cmd, "report")
	cmd.Flags().StringVar(&f.run.log, "log", "", "`FILE` for the log, .ndjson or .ndjson.zst; NAME-TIME.ndjson if not given")
	cmd.Flags().BoolVar(&f.run.noLog, "no-log", false, "write no log")
	cmd.Flags().Uint64Var(&f.run.seed, "seed", 0, "another `SEED` than the scenario's: other devices and arrivals")
	cmd.Flags().BoolVar(&f.run.json, "json", false, "print the report as JSON")
	cmd.Flags().BoolVarP(&f.run.quiet, "quiet", "q", false, "print nothing while it runs")
	return cmd
}

type stressFlags struct {
	run runFlags

	rate, scenario, replay string
	arrive, thresholds     []string
	length                 time.Duration
	inFlight               int
	findLimit              bool
	maxRate                float64

	target                     scenarios.Target
	timeout                    time.Duration
	noKeepAlive                bool
	headers                    []string
	individual, repeated, x509 string
	ca, functionKeyFile        string
	sources                    []string
	targetIsMine               string
	aboveQuota                 bool
}

func (f *stressFlags) addLoad(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.rate, "rate", "", "`RATE` of calls, as 500/s, or max; 100/s if nothing says when they come")
	flags.StringArrayVar(&f.arrive, "arrive", nil, "`SHAPE` of the calls' arrival, as 'ramp 10/s to 500/s over 30s' or 'poisson 30/s'; several are stages")
	flags.DurationVar(&f.length, "for", 30*time.Second, "how `LONG` calls come; with --find-limit a round, 5s if not given")
	flags.IntVar(&f.inFlight, "in-flight", 0, "`N` calls at once at most, one more is dropped; 4,096 if not given, 64 with --rate max")
	flags.StringVar(&f.scenario, "scenario", "", "`NAME|FILE` of a scenario whose devices, expectations and thresholds are taken, and its arrivals unless you say others")
	flags.StringVar(&f.replay, "replay", "", "send the requests of a recording `FILE`, at its pace unless you say another")
	flags.StringArrayVar(&f.thresholds, "threshold", nil, "a `THRESHOLD` that must be met, as 'time_to_assigned p(99) < 500ms'; may be given again")
	flags.BoolVar(&f.findLimit, "find-limit", false, "look for the highest rate that meets the thresholds")
	flags.Float64Var(&f.maxRate, "max-rate", 10_000, "with --find-limit, the highest `RATE` a second that is tried")
	flags.StringVar(&f.individual, "individual", "", "the `SHARE` of devices with an enrollment of their own, as 10%")
	flags.StringVar(&f.repeated, "repeated", "", "the `SHARE` of devices that were assigned before, as 20%")
	flags.StringVar(&f.x509, "x509", "", "the `SHARE` of devices with a certificate, as 5%")
}

func (f *stressFlags) addCall(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.target.Hubs, "hub", nil, "a linked `HUB` that the webhook may answer; the scenario's, or the tutorial's two, if none is named")
	flags.StringVar(&f.functionKeyFile, "function-key-file", "", "`FILE` with the function's key (- is standard input); otherwise DPSFLEET_FUNCTION_KEY")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how `LONG` a call may take")
	flags.BoolVar(&f.target.HTTP.HTTP2, "http2", false, "speak HTTP/2")
	flags.BoolVar(&f.noKeepAlive, "no-keep-alive", false, "make a connection for each call")
	flags.IntVar(&f.target.HTTP.Connections, "connections", 0, "`N` connections at most; calls wait for one")
	flags.StringArrayVar(&f.headers, "header", nil, "a `NAME: VALUE` that goes with every call; may be given again")
	flags.StringVar(&f.ca, "ca", "", "PEM `FILE` with the root certificate of the webhook")
	flags.BoolVar(&f.target.Insecure, "insecure", false, "take any certificate; the verdict says so")
	flags.StringVar(&f.targetIsMine, "target-is-mine", "", "the `HOST` beyond this machine that is yours to load")
	addSources(cmd, &f.sources)
	flags.BoolVar(&f.aboveQuota, "above-quota", false, "load it beyond 16 calls a second")
}

func (p *program) stress(cmd *cobra.Command, url string, f *stressFlags) error {
	if err := f.readTarget(p, cmd, url); err != nil {
		return err
	}
	env := scenarios.Env{Version: version, TargetIsMine: f.targetIsMine, AboveQuota: f.aboveQuota}
	s, err := f.load(p, cmd, &env)
	if err != nil {
		return err
	}
	if f.findLimit {
		return p.findLimit(cmd, s, env, f)
	}
	return p.play(cmd, s, env, &f.run)
}
