package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning"
)

func (p *program) keyCommand() *cobra.Command {
	var id, file string
	cmd := &cobra.Command{
		Use:   "key --registration-id ID",
		Short: "Derive a device's key from its enrollment group's",
		Long: `Key derives the key of one device from the key of its enrollment group, as
"az iot dps enrollment-group compute-device-key" does: the HMAC-SHA256 of the
registration id under the group's key. The group's key comes from
--group-key-file, from DPS_GROUP_KEY, or from standard input.`,
		Example: `  dpsfleet key --registration-id breakroom499-contoso-tstrsd-007 < group.key
  dpsfleet key --registration-id mainbuilding167-contoso-hpsd-088 --group-key-file group.key`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if id == "" {
				return usage(cmd, "--registration-id is missing")
			}
			if err := provisioning.CheckRegistrationID(id); err != nil {
				return usage(cmd, "--registration-id: %w", err)
			}
			key, err := p.groupKey(file)
			if err == nil && key == nil {
				key, err = p.pipedKey()
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, key.Derive(id).Base64())
			return nil
		},
	}
	cmd.Flags().StringVar(&id, "registration-id", "", "the device's registration `ID`, in the case in which it registers")
	cmd.Flags().StringVar(&file, "group-key-file", "", "`FILE` with the group's key (- is standard input)")
	return cmd
}

// pipedKey reads the key from standard input without being told to.
func (p *program) pipedKey() (provisioning.Key, error) {
	text, err := p.secret("standard input", "-")
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, errNoKey
	}
	key, err := provisioning.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return key, nil
}
