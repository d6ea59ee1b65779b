package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What a flag takes has a name, in capitals, in the help; pflag would write its type.
func TestEveryFlagNamesWhatItTakes(t *testing.T) {
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if takes, _ := pflag.UnquoteUsage(f); takes != strings.ToUpper(takes) {
				t.Errorf("%s --%s takes %q", cmd.CommandPath(), f.Name, takes)
			}
		})
		for _, below := range cmd.Commands() {
			look(below)
		}
	}
	look(new(program).command())
}
