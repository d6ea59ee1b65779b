package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dpsfleet/scenarios"
)

func (p *program) scenariosCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenarios",
		Short: "List the scenarios that come with dpsfleet",
		Example: `  dpsfleet scenarios
  dpsfleet scenarios show contoso-mixed > mine.yaml`,
		Args: noSuchVerb,
		RunE: func(*cobra.Command, []string) error { return p.listScenarios() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:               "show NAME",
		Short:             "Print a scenario, to start your own from",
		Args:              wants("the name of a scenario"),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := scenarios.ShippedText(args[0])
			if err != nil {
				return usage(cmd, "%w", err)
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}, p.schemaCommand())
	return cmd
}

func (p *program) schemaCommand() *cobra.Command {
	var policy bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the language, for your editor",
		Example: `  dpsfleet scenarios schema > scenario.schema.json
  dpsfleet scenarios schema --policy > policy.schema.json`,
		Args: wants(),
		RunE: func(*cobra.Command, []string) error {
			schema := scenarios.Schema
			if policy {
				schema = scenarios.PolicySchema
			}
			_, err := p.stdout.Write(schema)
			return err
		},
	}
	cmd.Flags().BoolVar(&policy, "policy", false, "that of allocation policies instead")
	return cmd
}

func (p *program) listScenarios() error {
	for _, name := range scenarios.Shipped() {
		s, err := scenarios.ReadShipped(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%-21s %s\n", name, s.About)
	}
	return nil
}
