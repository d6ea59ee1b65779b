// Command dpsfleet boots fleets of simulated devices through the Azure IoT Hub
// Device Provisioning Service, or through the one that it brings along, and
// proves where every one of them landed.
//
// This room is the program: a file a verb, flags, signals, what is printed where
// and the exit code. What the verbs do is in the rooms below it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/provisioning/wording"
	"dpsfleet/scenarios"
)

// version is of the next release in CHANGELOG.md.
const version = "0.1.0"

// Exit codes. 3, 4 and 130 are those of a run's report.
const (
	exitOK       = 0
	exitCouldNot = 1
	exitUsage    = 2
	exitUnmet    = 3
)

func main() {
	// Whoever reads the output may stop reading: the write then fails, and the
	// run goes on to its log.
	signal.Ignore(syscall.SIGPIPE)
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	// The second signal finds nobody who catches it, and ends the program.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &forgiving{w: stdout}
	p := &program{stdin: stdin, stdout: out, stderr: &forgiving{w: stderr}, getenv: os.Getenv}
	root := p.command()
	root.SetArgs(joinLinger(args))
	root.SetIn(stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	code := p.exit(ctx, root.ExecuteContext(ctx))
	if err := out.lost(); err != nil {
		fmt.Fprintf(p.stderr, "dpsfleet: what was printed is not whole: %v\n", err)
		code = max(code, exitCouldNot)
	}
	return code
}

type program struct {
	stdin          io.Reader
	pipedTo        string // who has read stdin; empty for nobody
	stdout, stderr io.Writer
	getenv         func(string) string
	log            logFlags
}

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "dpsfleet",
		Short: "Boot fleets of simulated devices through Azure's Device Provisioning Service",
		Long: `dpsfleet boots fleets of simulated devices through the Azure IoT Hub Device
Provisioning Service (DPS) and proves where every one of them landed. It brings
a DPS, IoT hubs and the allocation webhook of Microsoft's tutorial along, so
nothing needs a subscription.`,
		Example: `  dpsfleet run contoso-mixed                 1,000 toasters and heat pumps, and a few strangers
  dpsfleet boot --registration-id breakroom499-contoso-tstrsd-007
  dpsfleet run contoso-mixed --webhook http://localhost:7071/api/HttpTrigger1
  dpsfleet emulate                           a DPS for your own devices
  dpsfleet scenarios                         what else there is to run`,
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	p.log.add(root)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		p.runCommand(), p.stressCommand(), p.checkCommand(), p.bootCommand(), p.keyCommand(), p.emulateCommand(), p.webhookCommand(),
		p.scenariosCommand(), p.reportCommand(), p.explainCommand(), p.diffCommand(), p.versionCommand(), p.faultsTopic(),
	)
	return root
}

// exit prints what went wrong and returns the code that says so.
func (p *program) exit(ctx context.Context, err error) int {
	var verdict verdictError
	var usage usageError
	var mistakes scenarios.Mistakes
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &verdict):
		return int(verdict)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(p.stderr, "dpsfleet: interrupted")
		return metrics.ExitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "dpsfleet: %s\n`%s --help` shows what there is.\n", wording.PrintableLines(usage.err.Error()), usage.verb)
		return exitUsage
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			fmt.Fprintln(p.stderr, wording.Printable(m.String()))
		}
		return exitUsage
	}
	fmt.Fprintf(p.stderr, "dpsfleet: %s\n", wording.PrintableLines(err.Error()))
	return exitCouldNot
}

// verdictError ends the program with a code; all has been said already.
type verdictError int

func (e verdictError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a command line that is wrong.
type usageError struct {
	verb string
	err  error
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(cmd *cobra.Command, format string, args ...any) error {
	return usageError{cmd.CommandPath(), fmt.Errorf(format, args...)}
}

func noSuchVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage(cmd, "there is no verb %q; was %q meant?", args[0], near[0])
	}
	return usage(cmd, "there is no verb %q", args[0])
}

// wants checks the number of arguments, which it names.
func wants(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usage(cmd, "%s is missing", names[len(args)])
		}
		if len(args) > len(names) {
			return usage(cmd, "%q is too much", args[len(names)])
		}
		return nil
	}
}

// forgiving is a writer whose reader may have gone: what is printed is lost
// then, and nothing else. The log of a function is written beside what the
// program says, so each Write is alone.
type forgiving struct {
	mu  sync.Mutex
	w   io.Writer
	err error // the first
}

func (f *forgiving) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		_, f.err = f.w.Write(p)
	}
	return len(p), nil
}

// lost is why something is missing that somebody still wants to read.
func (f *forgiving) lost() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errors.Is(f.err, syscall.EPIPE) {
		return nil
	}
	return f.err
}
