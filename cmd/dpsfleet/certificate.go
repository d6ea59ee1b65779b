package main

import (
	"crypto/tls"
	"fmt"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/wording"
	"dpsfleet/scenarios"
)

// addCertificate adds the flags of a device that proves who it is by a
// certificate.
func (f *targetFlags) addCertificate(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cert, "cert", "", "PEM `FILE` with the device's certificate and its chain, for a DPS elsewhere")
	cmd.Flags().StringVar(&f.key, "key", "", "PEM `FILE` with the private key of --cert")
}

// checkCertificate finds what does not go with a certificate.
func (f *targetFlags) checkCertificate(cmd *cobra.Command) error {
	network := scenarios.Network(f.network)
	switch {
	case f.cert == "" && f.key == "":
		return nil
	case f.cert == "" || f.key == "":
		return usage(cmd, "--cert and --key go together")
	case f.endpoint == "":
		return usage(cmd, "--cert and --key are for a DPS elsewhere, which --endpoint names; in a scenario's cloud, say attestation: x509")
	case f.deviceKeyFile != "":
		return usage(cmd, "--cert and --device-key-file are two ways to prove who a device is; choose one")
	case network != scenarios.NetworkTLS && network != scenarios.NetworkWSS:
		return usage(cmd, "a certificate is brought to the TLS handshake, which --network %s has not; use tls or wss", f.network)
	}
	return nil
}

// certificate reads the pair; nil without one.
func (f *targetFlags) certificate() (*tls.Certificate, error) {
	if f.cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("--cert %s and --key %s: %w", f.cert, f.key, err)
	}
	return &pair, nil
}

// proofOf says by what an enrollment lets devices in, for those who make them.
func proofOf(cloud *emulator.Cloud, e provisioning.Enrollment, s scenarios.Scenario, flags *emulateFlags) string {
	group, individual := s.Cloud.EnrollmentGroups[e.EnrollmentGroupID], s.Cloud.IndividualEnrollments[e.RegistrationID]
	byCertificate := e.Attestation.Type == provisioning.AttestX509
	switch {
	case byCertificate && group.CA == "" && individual.Certificate == "":
		return "; x509, of which this process alone has the private key: name a certificate of yours in the scenario, with ca: FILE or certificate: FILE"
	case byCertificate:
		return "; x509, " + wording.Printable(group.CA+individual.Certificate)
	case e.RegistrationID != "":
		return ""
	}
	key, _ := cloud.Key(e.ID())
	return "; its key is " + keyOf(key, flags)
}
