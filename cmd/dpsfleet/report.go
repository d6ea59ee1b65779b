package main

import (
	"fmt"
	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/metrics/prom"
	"dpsfleet/metrics/report"
)

func (p *program) reportCommand() *cobra.Command {
	var flags reportVerbFlags
	cmd := &cobra.Command{
		Use:   "report LOG...",
		Short: "Report a run again from its log, or set two runs side by side",
		Long: `Report makes the report of a run again from its log (X.ndjson or X.ndjson.zst)
and from the X.run.json beside it, through the very counting of the run itself,
and ends with the run's exit code.

The logs of a run's shards, all at once, are reported as the one run that they
are. Two other logs are set side by side, with the difference of each figure and
whether it is more than noise: whether its interval at 99 % leaves out zero
(Newcombe's for shares; between order statistics for percentiles).

A file that cannot be written is a sentence; the verdict stands, and where it is
0 the exit code is then 1. Reports may be read by anybody, logs only by their
owner.`,
		Example: `  dpsfleet report contoso-mixed-20261122T210400Z.ndjson
  dpsfleet report LOG --html run.html --junit run.xml --csv boots.csv
  dpsfleet report before.ndjson after.ndjson
  dpsfleet report part-1.ndjson part-2.ndjson part-3.ndjson
  dpsfleet report LOG --openmetrics >run.om && promtool tsdb create-blocks-from openmetrics run.om data`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !flags.schema && !flags.columns {
				return usage(cmd, "the log of a run is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.report(cmd, args, &flags) },
	}
	flags.files.add(cmd, "html")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print the report as JSON")
	cmd.Flags().BoolVar(&flags.openMetrics, "openmetrics", false, "print what Prometheus would have scraped, for promtool to fill in; ends with 0 whatever the verdict")
	cmd.Flags().BoolVar(&flags.columns, "columns", false, "print what the columns of --csv are")
	cmd.Flags().BoolVar(&flags.schema, "schema", false, "print the JSON Schema of --json and --summary")
	return cmd
}

type reportVerbFlags struct {
	files                              reportFlags
	json, openMetrics, schema, columns bool
}

func (p *program) report(cmd *cobra.Command, logs []string, flags *reportVerbFlags) error {
	if flags.schema {
		_, err := p.stdout.Write(report.Schema)
		return err
	}
	if flags.columns {
		for _, column := range report.Columns() {
			fmt.Fprintf(p.stdout, "%-20s %s\n", column.Name, column.About)
		}
		return nil
	}
	if flags.openMetrics {
		if len(logs) > 1 {
			return usage(cmd, "--openmetrics is of one log")
		}
		return prom.OpenMetrics(p.stdout, logs[0])
	}
	defer p.collectLess(0)()
	shards := len(logs) > 1 && metrics.AreShards(logs)
	if len(logs) == 2 && !shards {
		return p.compare(cmd, logs, flags)
	}
	files, err := flags.files.open(cmd)
	if err != nil {
		return err
	}
	defer files.close()
	read := func() (metrics.Report, error) { return metrics.ReportLog(logs[0], files.folds()...) }
	if len(logs) > 1 {
		read = func() (metrics.Report, error) { return metrics.ReportShards(logs, files.folds()...) }
	}
	r, err := read()
	if err != nil {
		return err
	}
	return p.result(p.tell(r, flags.json, nil), files.write(r))
}

// compare sets two runs side by side. It ends with 0 whatever differs: what is
// too much of a difference, thresholds say.
func (p *program) compare(cmd *cobra.Command, logs []string, flags *reportVerbFlags) error {
	if flags.files != (reportFlags{}) {
		return usage(cmd, "two runs side by side are printed, as text or with --json; the other files are of one run")
	}
	c, err := metrics.Compare(logs[0], logs[1])
	if err != nil {
		return err
	}
	if flags.json {
		return report.ComparisonJSON(p.stdout, c)
	}
	return report.Comparison(p.stdout, c, p.options())
}
