package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dpsfleet/provisioning/wording"
)

// flagError says in our words what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		name := unknown.GetSpecifiedName()
		err = fmt.Errorf("there is no flag --%s", name)
		if meant := wording.Meant(name, flagNames(cmd)); meant != "" {
			err = fmt.Errorf("%w; was \"--%s\" meant?", err, meant)
		}
	case errors.As(err, &value):
		flag := value.GetFlag()
		err = fmt.Errorf("--%s: %w", flag.Name, value.Unwrap())
		if kind := flagKinds()[flag.Value.Type()]; kind != "" {
			err = fmt.Errorf("%q is no --%s, which is %s", value.GetValue(), flag.Name, kind)
		}
	}
	return usageError{cmd.CommandPath(), err}
}

func flagNames(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// flagKinds are what pflag's own types take. Ours say it in their errors.
func flagKinds() map[string]string {
	return map[string]string{
		"bool":     "true or false",
		"int":      "a whole number",
		"uint64":   "a whole number from 0 to 2^64-1",
		"float64":  "a number",
		"duration": "a time with its unit, as 250ms, 3s and 1m30s",
	}
}
