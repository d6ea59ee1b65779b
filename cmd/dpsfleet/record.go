package main

import (
	"github.com/spf13/cobra"

	"dpsfleet/provisioning/ndjson"
	"dpsfleet/scenarios"
)

// recordFlags are those of the verbs that can record a webhook's calls.
type recordFlags struct {
	path   string
	redact []string
}

func (f *recordFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "record", "", "record the webhook's calls in `FILE`, .ndjson or .ndjson.zst, for stress --replay and diff")
	cmd.Flags().StringArrayVar(&f.redact, "redact", nil, "`PATH` in requests and answers whose value is not recorded, as deviceRuntimeContext.payload.owner; may be given again. The log is another file: --no-log")
}

// record is the recording that the flags ask for.
func (f *recordFlags) record(cmd *cobra.Command) (scenarios.Record, error) {
	if len(f.redact) > 0 && f.path == "" {
		return scenarios.Record{}, usage(cmd, "--redact is for what --record writes, which is not given")
	}
	if f.path != "" {
		if err := ndjson.CheckName(f.path); err != nil {
			return scenarios.Record{}, usage(cmd, "--record: %w", err)
		}
	}
	return scenarios.Record{Path: f.path, Redact: f.redact}, nil
}
