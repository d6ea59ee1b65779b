package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// watching is what shows a run while it goes on: --metrics and --ui, and for how
// long they stay after its end.
type watching struct {
	metrics metricsFlags
	ui      uiFlags
	linger  lingering
}

func (f *watching) add(cmd *cobra.Command) {
	f.metrics.add(cmd)
	f.ui.add(cmd)
	cmd.Flags().Var(&f.linger, lingerFlag, "keep serving --metrics and --ui for a `DURATION` after the report; without one, until a signal")
	cmd.Flags().Lookup(lingerFlag).NoOptDefVal = untilSignal
}

// asked reports whether anything is to be shown.
func (f *watching) asked() bool { return f.metrics.address != "" || f.ui.address != "" }

// open takes the ports, before anything else is started.
func (f *watching) open(p *program, cmd *cobra.Command) (*shown, *ui, error) {
	if f.linger != 0 && !f.asked() {
		return nil, nil, usage(cmd, "--linger keeps --metrics or --ui going, and neither is given")
	}
	shown, err := f.metrics.show(cmd)
	if err != nil {
		return nil, nil, err
	}
	page, err := f.ui.open(p, cmd)
	if err != nil {
		shown.close()
		return nil, nil, err
	}
	return shown, page, nil
}

// stay goes on serving for as long as was asked for, or until a signal.
func (f *watching) stay(ctx context.Context, p *program) {
	if f.linger == 0 || ctx.Err() != nil {
		return
	}
	if f.metrics.address != "" {
		fmt.Fprintf(p.stderr, "metrics stay at http://%s/metrics, %s\n", f.metrics.address, f.linger.words())
	}
	if f.ui.address != "" {
		fmt.Fprintf(p.stderr, "the page stays at http://%s/, %s\n", f.ui.address, f.linger.words())
	}
	if f.linger == forever {
		<-ctx.Done()
		return
	}
	enough := time.NewTimer(time.Duration(f.linger))
	defer enough.Stop()
	select {
	case <-enough.C:
	case <-ctx.Done():
	}
}

// lingering is how long: 0 is not at all.
type lingering time.Duration

const (
	lingerFlag  = "linger"
	untilSignal = "signal"

	forever lingering = -1
)

func (l lingering) words() string {
	if l == forever {
		return "until Ctrl-C"
	}
	return "for " + time.Duration(l).String()
}

// String, Set and Type make it a flag's value.
func (l *lingering) String() string {
	switch *l {
	case 0:
		return ""
	case forever:
		return untilSignal
	}
	return time.Duration(*l).String()
}

func (l *lingering) Set(text string) error {
	if text == untilSignal {
		*l = forever
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration such as 30s", text)
	}
	*l = lingering(d)
	return nil
}

func (l *lingering) Type() string { return "linger" }

// joinLinger makes `--linger 30s` one argument: the flag does without a value, and
// pflag then takes one after "=" alone.
func joinLinger(args []string) []string {
	i := slices.Index(args, "--"+lingerFlag)
	if i < 0 || i+1 == len(args) || slices.Contains(args[:i], "--") {
		return args
	}
	if _, err := time.ParseDuration(args[i+1]); err != nil || strings.HasPrefix(args[i+1], "-") {
		return args
	}
	return slices.Concat(args[:i], []string{args[i] + "=" + args[i+1]}, args[i+2:])
}
