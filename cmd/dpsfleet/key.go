package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/rest"
)

func (p *program) keyCommand() *cobra.Command {
	var flags keyFlags
	cmd := &cobra.Command{
		Use:   "key --registration-id ID",
		Short: "Derive a device's key from its enrollment group's",
		Long: `Key derives the key of one device from the key of its enrollment group, as
"az iot dps enrollment-group compute-device-key" does: the HMAC-SHA256 of the
registration id under the group's key. The group's key comes from
--group-key-file, from DPS_GROUP_KEY, from standard input, or from the service
API of the DPS whose connection string --service has.`,
		Example: `  dpsfleet key --registration-id breakroom499-contoso-tstrsd-007 < group.key
  dpsfleet key --registration-id mainbuilding167-contoso-hpsd-088 --group-key-file group.key
  dpsfleet key --registration-id ID --service service.txt --enrollment-id contoso-custom-allocated-devices --ca dpsfleet-ca.pem`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(cmd); err != nil {
				return err
			}
			key, err := p.keyOfGroup(cmd, flags)
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, key.Derive(flags.id).Base64())
			return nil
		},
	}
	cmd.Flags().StringVar(&flags.id, "registration-id", "", "the device's registration `ID`, in the case in which it registers")
	cmd.Flags().StringVar(&flags.file, "group-key-file", "", "`FILE` with the group's key (- is standard input)")
	cmd.Flags().StringVar(&flags.service, "service", "", "`FILE` with the connection string of a DPS, as emulate --service-out writes it (- is standard input)")
	cmd.Flags().StringVar(&flags.group, "enrollment-id", "", "the enrollment `GROUP` whose key --service asks for")
	cmd.Flags().StringVar(&flags.ca, "ca", "", "PEM `FILE` with the root certificate of that DPS")
	return cmd
}

type keyFlags struct{ id, file, service, group, ca string }

func (f keyFlags) check(cmd *cobra.Command) error {
	switch {
	case f.id == "":
		return usage(cmd, "--registration-id is missing")
	case (f.service == "") != (f.group == ""):
		return usage(cmd, "--service and --enrollment-id go together")
	case f.service != "" && f.file != "":
		return usage(cmd, "--service and --group-key-file are two places to take the key from; name one")
	case f.service == "" && f.ca != "":
		return usage(cmd, "--ca is for --service")
	}
	if err := provisioning.CheckRegistrationID(f.id); err != nil {
		return usage(cmd, "--registration-id: %w", err)
	}
	return nil
}

func (p *program) keyOfGroup(cmd *cobra.Command, flags keyFlags) (provisioning.Key, error) {
	if flags.service != "" {
		return p.askedKey(cmd, flags)
	}
	key, err := p.groupKey(cmd.Context(), flags.file)
	if err == nil && key == nil {
		key, err = p.pipedKey(cmd.Context())
	}
	return key, err
}

// askedKey asks the service API for the group's key.
func (p *program) askedKey(cmd *cobra.Command, flags keyFlags) (provisioning.Key, error) {
	text, err := p.secret(cmd.Context(), "--service", flags.service)
	if err != nil {
		return nil, err
	}
	at, err := rest.ParseConnectionString(text)
	if err != nil {
		return nil, fmt.Errorf("--service: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: new(tls.Config), Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	if flags.ca != "" {
		if transport.TLSClientConfig.RootCAs, err = readRoots(flags.ca); err != nil {
			return nil, err
		}
	}
	keys, err := rest.GroupKeys(cmd.Context(), transport, at, flags.group)
	return keys.Primary, err
}

func readRoots(file string) (*x509.CertPool, error) {
	text, err := readCA(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return roots, nil
}

// pipedKey reads the key from standard input without being told to.
func (p *program) pipedKey(ctx context.Context) (provisioning.Key, error) {
	text, err := p.secret(ctx, "the group's key", "-")
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, errors.New("no key was given; put the enrollment group's into a file for --group-key-file, into DPS_GROUP_KEY, or pipe it in")
	}
	key, err := provisioning.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return key, nil
}
