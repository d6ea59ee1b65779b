package main

import (
	"cmp"
	"fmt"
	"net"
	"os"

	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/wording"
	"dpsfleet/scenarios"
)

// announce says where the cloud is and how a client gets there, and "ready" once
// a client could.
func (p *program) announce(cloud *emulator.Cloud, s scenarios.Scenario, flags *emulateFlags) error {
	fmt.Fprintf(p.stdout, "DPS and hubs      %s (id scope %s)\n", cloud.Addr(), cloud.IDScope())
	for _, hub := range s.Hubs() {
		fmt.Fprintf(p.stdout, "linked hub        %s\n", hub)
	}
	for _, e := range cloud.Enrollments() {
		kind := "enrollment group "
		if e.RegistrationID != "" {
			kind = "enrollment       "
		}
		fmt.Fprintf(p.stdout, "%s %s%s\n", kind, wording.Printable(e.ID()), proofOf(cloud, e, s, flags))
	}
	fmt.Fprintf(p.stdout, "device key        `dpsfleet key --group-key-file %s --registration-id ID` derives one from its group's\n", cmp.Or(flags.groupKeyOut, flags.groupKeyFile, "FILE"))
	if !flags.plain {
		if err := os.WriteFile(flags.caOut, cloud.CA(), 0o644); err != nil {
			return fmt.Errorf("--ca-out: %w", err)
		}
		fmt.Fprintf(p.stdout, "root certificate  %s\n", flags.caOut)
		if err := p.pointSDKs(cloud.Endpoint(), flags.caOut); err != nil {
			return err
		}
		if host, _, _ := net.SplitHostPort(cloud.Addr()); net.ParseIP(host).IsUnspecified() && len(flags.names) == 0 {
			fmt.Fprintln(p.stdout, "elsewhere         clients dial this machine by a name of its own: --name HOST puts it into the certificate")
		}
	}
	if cloud.HTTPSAddr() != "" {
		if err := p.pointHTTPS(cloud, flags); err != nil {
			return err
		}
		if err := flags.out.write(p, cloud, s.Hubs()); err != nil {
			return err
		}
	}
	if flags.metrics.address != "" {
		fmt.Fprintf(p.stdout, "metrics           http://%s/metrics\n", flags.metrics.address)
	}
	fmt.Fprintln(p.stdout, "ready")
	return nil
}

// pointSDKs prints a line for each SDK. Those with a fixed port need 8883.
func (p *program) pointSDKs(endpoint, ca string) error {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Node              NODE_EXTRA_CA_CERTS=%s; ProvisioningDeviceClient.create(%q, ...); hub: GatewayHostName=%s\n", ca, endpoint, endpoint)
	fmt.Fprintf(p.stdout, "dpsfleet          --endpoint %s --ca %s\n", endpoint, ca)
	if port != "8883" {
		fmt.Fprintln(p.stdout, "C, Python, Java   dial port 8883 and no other: emulate with --mqtt 127.0.0.1:8883")
		return nil
	}
	fmt.Fprintf(p.stdout, "C                 Prov_Device_Create(%q, ...); Prov_Device_SetOption(handle, OPTION_TRUSTED_CERT, <text of %s>)\n", host, ca)
	fmt.Fprintf(p.stdout, "Python            ProvisioningDeviceClient.create_from_symmetric_key(provisioning_host=%q, server_verification_cert=<text of %s>, ...)\n", host, ca)
	fmt.Fprintf(p.stdout, "C#, Java          globalDeviceEndpoint %q; put %s into the trust store\n", host, ca)
	return nil
}
