package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/wording"
)

func (p *program) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain LOG ID",
		Short: "Tell one device's story from the log of a run",
		Long: `Explain tells one device's story from both ends, in the order of time: what it
sent, what the webhook was asked and answered and how often, what the device was
told, and what that most likely comes from.`,
		Example: `  dpsfleet explain contoso-mixed-20261122T210400Z.ndjson doorbell3`,
		Args:    wants("the log of a run", "a registration id"),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.explain(args[0], args[1])
		},
	}
}

// tellUnread is of how many lines that cannot be read the reason is told.
const tellUnread = 3

func (p *program) explain(log, id string) error {
	run, err := metrics.ReadRun(log) // without it the story has no frame, and says so
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(p.stderr, "dpsfleet: %s\n", wording.PrintableLines(err.Error()))
	}
	found, unread := false, 0
	var others []string
	for boot, err := range metrics.ReadLog(log) {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil {
			if unread++; unread <= tellUnread {
				fmt.Fprintf(p.stderr, "dpsfleet: %s\n", wording.PrintableLines(err.Error()))
			}
			continue
		}
		if provisioning.SameID(boot.ID) != provisioning.SameID(id) {
			others = append(others, boot.ID)
			continue
		}
		found = true
		if err := report.Explain(p.stdout, boot, run, p.options()); err != nil {
			return err
		}
	}
	if unread > tellUnread {
		fmt.Fprintf(p.stderr, "dpsfleet: %d more lines could not be read\n", unread-tellUnread)
	}
	if !found {
		return fmt.Errorf("%s holds no boot of %q%s", log, id, wording.Suggestion(id, others))
	}
	return nil
}
