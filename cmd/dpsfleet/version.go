package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  wants(),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.stdout, versionLine())
			return nil
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("dpsfleet %s (%s, %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
