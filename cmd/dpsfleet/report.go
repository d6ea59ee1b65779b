package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
	"dpsfleet/provisioning"
)

func (p *program) reportCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "report LOG",
		Short: "Report a run again from its log",
		Long: `Report makes the report of a run again from its log (X.ndjson or X.ndjson.zst)
and from the X.run.json beside it, through the very counting of the run itself,
and ends with the run's exit code.`,
		Example: `  dpsfleet report contoso-mixed-20261122T210400Z.ndjson`,
		Args:    wants("the log of a run"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := metrics.ReportLog(args[0])
			if err != nil {
				return err
			}
			return p.tell(r, asJSON, nil)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func (p *program) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain LOG ID",
		Short:   "Tell one device's story from the log of a run",
		Example: `  dpsfleet explain contoso-mixed-20261122T210400Z.ndjson doorbell3`,
		Args:    wants("the log of a run", "a registration id"),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.explain(args[0], args[1])
		},
	}
}

func (p *program) explain(log, id string) error {
	found := false
	for boot, err := range metrics.ReadLog(log) {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil {
			fmt.Fprintf(p.stderr, "dpsfleet: %s\n", printable(err.Error()))
			continue
		}
		if provisioning.SameID(boot.ID) != provisioning.SameID(id) {
			continue
		}
		found = true
		if err := report.Explain(p.stdout, boot, p.options()); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s holds no boot of %q", log, id)
	}
	return nil
}
