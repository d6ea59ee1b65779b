package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning/emulator"
)

// outFiles are where emulate writes what lets a back end in. It is printed only
// for who asks, because terminals and logs of CI remember.
type outFiles struct {
	token, hubs, service string
	show                 bool
}

func (o *outFiles) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.token, "token-out", "", "`FILE` for the token that /emulator of --https asks for, where it tells what it saw")
	cmd.Flags().StringVar(&o.service, "service-out", "", "`FILE` for the connection string of the service API of DPS at --https, for back ends and key --service")
	cmd.Flags().StringVar(&o.hubs, "hubs-out", "", "`FILE` for the connection strings of iothubowner at each hub, for back ends")
	cmd.Flags().BoolVar(&o.show, "show-keys", false, "print the connection strings of DPS and the hubs, keys included; they are this emulator's own, and worth nothing elsewhere")
}

// check says what is asked for in vain.
func (o *outFiles) check(cmd *cobra.Command, https string) error {
	if https == "" && (o.token != "" || o.hubs != "" || o.service != "" || o.show) {
		return usage(cmd, "--token-out, --hubs-out, --service-out and --show-keys are for who speaks HTTP; name an address with --https")
	}
	return nil
}

// write writes the files and says where they are.
func (o *outFiles) write(p *program, cloud *emulator.Cloud, hubs []string) error {
	if o.token != "" {
		if err := writeSecret(o.token, cloud.Token()+"\n"); err != nil {
			return fmt.Errorf("--token-out: %w", err)
		}
		fmt.Fprintf(p.stdout, "what it saw       /emulator/exchanges there, with -H \"Authorization: Bearer $(cat %s)\"\n", o.token)
	}
	if o.service != "" {
		if err := writeSecret(o.service, cloud.ServiceConnectionString()+"\n"); err != nil {
			return fmt.Errorf("--service-out: %w", err)
		}
		fmt.Fprintf(p.stdout, "DPS's back ends   connection string in %s; `dpsfleet key --service %s --enrollment-id GROUP --registration-id ID` derives a key with it\n", o.service, o.service)
	}
	if err := o.writeHubs(p, cloud, hubs); err != nil {
		return err
	}
	o.tell(p, cloud, hubs)
	return nil
}

func (o *outFiles) writeHubs(p *program, cloud *emulator.Cloud, hubs []string) error {
	if o.hubs == "" {
		return nil
	}
	var text strings.Builder
	for _, hub := range hubs {
		fmt.Fprintln(&text, cloud.HubConnectionString(hub))
	}
	if err := writeSecret(o.hubs, text.String()); err != nil {
		return fmt.Errorf("--hubs-out: %w", err)
	}
	fmt.Fprintf(p.stdout, "hubs' back ends   connection strings in %s\n", o.hubs)
	return nil
}

// tell prints the connection strings, or how to have them if no file has any.
func (o *outFiles) tell(p *program, cloud *emulator.Cloud, hubs []string) {
	switch {
	case o.show:
		fmt.Fprintln(p.stdout, "back ends         connect with these; their keys were made here, and are worth nothing elsewhere")
		fmt.Fprintf(p.stdout, "  %s\n", cloud.ServiceConnectionString())
		for _, hub := range hubs {
			fmt.Fprintf(p.stdout, "  %s\n", cloud.HubConnectionString(hub))
		}
	case o.hubs == "" && o.service == "":
		fmt.Fprintln(p.stdout, "back ends         connect with keys that were made here: --service-out and --hubs-out write the connection strings, --show-keys prints them")
	}
}

// writeSecret writes a file that only its owner reads, in the place of an older
// one, whatever the mode of that.
func writeSecret(path, text string) error {
	made, err := os.CreateTemp(filepath.Dir(path), ".dpsfleet-*") // with 0600
	if err != nil {
		return err
	}
	_, err = made.WriteString(text)
	if err = errors.Join(err, made.Close()); err == nil {
		err = os.Rename(made.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(made.Name()))
	}
	return nil
}
