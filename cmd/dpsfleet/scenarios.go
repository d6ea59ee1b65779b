package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning/allocation"
	"dpsfleet/scenarios"
)

// scenariosFlags are of scenarios and what is below it.
type scenariosFlags struct{ policy bool }

func (p *program) scenariosCommand() *cobra.Command {
	var flags scenariosFlags
	cmd := &cobra.Command{
		Use:   "scenarios",
		Short: "List the scenarios and policies that come with dpsfleet",
		Example: `  dpsfleet scenarios
  dpsfleet scenarios show contoso-mixed > mine.yaml
  dpsfleet scenarios --policy
  dpsfleet scenarios show --policy contoso > policy.json`,
		Args: noSuchVerb,
		RunE: func(*cobra.Command, []string) error {
			if flags.policy {
				return p.listPolicies()
			}
			return p.listScenarios()
		},
	}
	cmd.PersistentFlags().BoolVar(&flags.policy, "policy", false, "allocation policies instead")
	cmd.AddCommand(p.showCommand(&flags), p.schemaCommand(&flags))
	return cmd
}

func (p *program) showCommand(flags *scenariosFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Print a scenario or a policy, to start your own from",
		Example: `  dpsfleet scenarios show contoso-mixed > mine.yaml
  dpsfleet scenarios show --policy contoso > policy.json`,
		Args: wants("the name of a scenario or policy"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if flags.policy && len(args) == 0 {
				return allocation.ShippedNames(), cobra.ShellCompDirectiveNoFileComp
			}
			return completeScenarios(cmd, args, start)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			shippedText := scenarios.ShippedText
			if flags.policy {
				shippedText = allocation.ShippedText
			}
			text, err := shippedText(args[0])
			if err != nil {
				return usage(cmd, "%w", err)
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}
}

func (p *program) schemaCommand(flags *scenariosFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the language, for your editor",
		Example: `  dpsfleet scenarios schema > scenario.schema.json
  dpsfleet scenarios schema --policy > policy.schema.json`,
		Args: wants(),
		RunE: func(*cobra.Command, []string) error {
			schema := scenarios.Schema
			if flags.policy {
				schema = scenarios.PolicySchema
			}
			_, err := p.stdout.Write(schema)
			return err
		},
	}
}

func (p *program) listScenarios() error {
	for _, name := range scenarios.Shipped() {
		s, err := scenarios.ReadShipped(name)
		if err != nil {
			return err
		}
		p.listed(name, s.About)
	}
	return nil
}

func (p *program) listPolicies() error {
	for _, name := range allocation.ShippedNames() {
		policy, err := allocation.Shipped(name)
		if err != nil {
			return err
		}
		p.listed(name, policy.About)
	}
	return nil
}

func (p *program) listed(name, about string) {
	fmt.Fprintf(p.stdout, "%-21s %s\n", name, about)
}
