package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
	"dpsfleet/provisioning/ndjson"
	"dpsfleet/scenarios"
)

func (p *program) runCommand() *cobra.Command {
	var target targetFlags
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run NAME|FILE",
		Short: "Boot the fleets of a scenario and report where every device landed",
		Long: `Run boots the fleets of a scenario, one that dpsfleet ships or a file of your
own (- is standard input), and reports where every device landed. Without
--endpoint it starts a DPS, hubs and the scenario's allocation policy of its own
on this machine.

Every boot is a line in the log (NDJSON), beside which X.run.json holds what is
not one boot's. Exit codes: 0 all met, 3 something unmet, 4 this machine was the
bottleneck, 130 interrupted, 1 could not run or write, 2 wrong usage or scenario.

--report, --junit, --csv and --summary write the report to files as well, which
are made before the run starts. With --shard several machines share a run: each
boots its part of one schedule, and dpsfleet report with all their logs reports
them as one.`,
		Example: `  dpsfleet run contoso-mixed
  dpsfleet run contoso-mixed --scale 10 --network memory
  dpsfleet run contoso-mixed --record before.ndjson --redact deviceRuntimeContext.payload.owner
  dpsfleet run contoso-mixed --report run.html --junit run.xml
  dpsfleet run mine.yaml --shard 2/3
  dpsfleet run contoso-mixed --scale 40 --source 127.0.0.2,127.0.0.3
  dpsfleet run contoso-mixed --ui 127.0.0.1:8080 --linger
  dpsfleet run contoso-mixed --metrics 127.0.0.1:9464 --linger 5m
  dpsfleet run contoso-mixed --webhook https://localhost:7071/api/HttpTrigger1 --function-key-file key
  dpsfleet run mine.yaml --endpoint global.azure-devices-provisioning.net:8883 --id-scope 0ne00AAAAAA \
      --group-key-file group.key --hub my-hub.azure-devices.net --target-is-mine global.azure-devices-provisioning.net`,
		Args:              wants("the name or file of a scenario"),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.run(cmd, args[0], &target, &flags)
		},
	}
	target.add(cmd)
	flags.watch.add(cmd)
	flags.files.add(cmd, "report")
	cmd.Flags().StringVar(&flags.log, "log", "", "`FILE` for the log, .ndjson or .ndjson.zst; NAME-TIME.ndjson if not given")
	cmd.Flags().BoolVar(&flags.noLog, "no-log", false, "write no log")
	flags.record.add(cmd)
	cmd.Flags().StringVar(&flags.shard, "shard", "", "`I/N`: boot part I of N of the devices, the others being other machines'; as /N, I is from JOB_COMPLETION_INDEX")
	cmd.Flags().Uint64Var(&flags.seed, "seed", 0, "another `SEED` than the scenario's: other devices, arrivals and pauses")
	cmd.Flags().Float64Var(&flags.scale, "scale", 1, "`X` times the devices at X times the rates")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print the report as JSON")
	cmd.Flags().BoolVarP(&flags.quiet, "quiet", "q", false, "print nothing while it runs")
	return cmd
}

type runFlags struct {
	log         string
	seed        uint64
	scale       float64
	json, quiet bool
	noLog       bool
	record      recordFlags
	watch       watching
	files       reportFlags
	shard       string
}

func (p *program) run(cmd *cobra.Command, name string, target *targetFlags, flags *runFlags) error {
	s, err := p.readScenario(cmd, name)
	if err != nil {
		return err
	}
	s, env, err := target.apply(p, cmd, s)
	if err != nil {
		return err
	}
	if cmd.Flags().Changed("seed") {
		s.Seed = flags.seed
	}
	if err := checkScale(cmd, flags.scale); err != nil {
		return err
	}
	if flags.scale != 1 {
		s = s.Scaled(flags.scale)
	}
	if env.Shard, env.Shards, err = p.shard(cmd, flags.shard); err != nil {
		return err
	}
	return p.play(cmd, s, env, flags)
}

// checkScale is for run and check; NaN is above nothing.
func checkScale(cmd *cobra.Command, scale float64) error {
	if scale > 0 && scale <= 1e6 {
		return nil
	}
	return usage(cmd, "--scale %v is not a number above 0 and up to 1,000,000", scale)
}

// play runs a scenario and tells what became of it.
func (p *program) play(cmd *cobra.Command, s scenarios.Scenario, env scenarios.Env, flags *runFlags) error {
	switch {
	case flags.noLog && flags.log != "":
		return usage(cmd, "--log names a log, and --no-log wants none; say one of the two")
	case flags.log != "":
		if err := ndjson.CheckName(flags.log); err != nil {
			return usage(cmd, "--log: %w", err)
		}
		env.LogPath = flags.log
	case !flags.noLog:
		env.LogNumbered = true
		env.LogPath = s.Name + "-" + time.Now().UTC().Format("20060102T150405Z") + shardSuffix(env) + ".ndjson"
	}
	if loads := s.Loads(); loads != "" && env.TargetIsMine != "" {
		fmt.Fprintf(p.stderr, "loading %s\n", loads)
	}
	defer p.collectLess(s.Memory(env))()
	shown, page, err := flags.watch.open(p, cmd)
	if err != nil {
		return err
	}
	defer shown.close()
	defer page.close()
	if !flags.quiet {
		shown.announce(p)
		page.announce(p)
		p.announceStrain(s, env)
	}
	files, err := flags.files.open(cmd)
	if err != nil {
		return err
	}
	defer files.close()
	env.Folds = slices.Concat(shown.folds(), page.folds(), files.folds())
	if env.Record, err = flags.record.record(cmd); err != nil {
		return err
	}
	progress := p.progress(flags.quiet)
	env.Progress = progress.show
	env.Log = p.log.logger(progress, slog.LevelWarn)
	env.Log.Info("the run starts", "scenario", s.Name, "seed", s.Seed)
	r, err := scenarios.Run(cmd.Context(), s, env)
	progress.clear()
	env.Log.Info("the run is over", "scenario", s.Name, "verdict", r.Run.Verdict, "log", r.Log, "due", r.Due, "accounted", r.Accounted, "took", r.Took.Duration())
	var setup *scenarios.SetupError
	var lost *scenarios.LostError
	if !errors.As(err, &setup) && !errors.As(err, &lost) && err != nil {
		return err
	}
	verdict := p.tell(r, flags.json, setup)
	if verdict == nil && lost != nil { // which the report has said
		verdict = verdictError(exitCouldNot)
	}
	err = p.result(verdict, files.write(r))
	if setup == nil {
		flags.watch.stay(cmd.Context(), p)
	}
	return err
}

// announceStrain says what the run is likely to lack on this machine.
func (p *program) announceStrain(s scenarios.Scenario, env scenarios.Env) {
	for _, finding := range scenarios.Preflight(s, env) {
		if finding.Short() && finding.Estimate {
			fmt.Fprintln(p.stderr, "note:", finding)
		}
	}
}

// collectLess lets the heap grow to what a run needs, until restore, unless the
// environment says what it may.
func (p *program) collectLess(memory int64) (restore func()) {
	if p.getenv("GOGC") != "" || p.getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	return scenarios.CollectLess(memory)
}

// tell prints a report and ends the program with its code. Of a run that setup
// has stopped there is one sentence to say, and not a list of what it led to.
func (p *program) tell(r metrics.Report, asJSON bool, setup *scenarios.SetupError) error {
	var err error
	switch {
	case asJSON:
		err = report.JSON(p.stdout, r)
	case setup == nil:
		err = report.Terminal(p.stdout, r, p.options())
	case r.Log != "":
		_, err = fmt.Fprintf(p.stdout, "stopped with %d of %d done        log: %s\n", r.Accounted, r.Due, r.Log)
	}
	if err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	if setup != nil {
		return setup
	}
	if code := r.ExitCode(); code != exitOK {
		return verdictError(code)
	}
	return nil
}

// options are how the output is drawn: in colour on a terminal, unless NO_COLOR
// is set (no-color.org).
func (p *program) options() report.Options {
	return report.Options{Color: isTerminal(p.stdout) && p.getenv("NO_COLOR") == ""}
}

func isTerminal(w io.Writer) bool {
	file := fileOf(w)
	return file != nil && term.IsTerminal(int(file.Fd()))
}

// fileOf is the file that w writes to; nil if it is none.
func fileOf(w io.Writer) *os.File {
	if f, ok := w.(*forgiving); ok {
		w = f.w
	}
	file, _ := w.(*os.File)
	return file
}
