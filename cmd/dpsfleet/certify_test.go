package main

import (
	"crypto/tls"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"dpsfleet/provisioning"
)

// certify ID: what a factory would hand out for a device: factory.pem, the
// certificate of its authority; signed.pem and signed.key, a pair that it signed;
// own.pem and own.key, one that the device signed itself.
func certify(ts *testscript.TestScript, _ bool, args []string) {
	authority, err := provisioning.NewAuthority("factory", time.Now())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("factory.pem"), authority.PEM(), 0o600))
	signed, err := authority.IssueClient(args[0])
	ts.Check(err)
	own, err := provisioning.SelfSigned(args[0], time.Now())
	ts.Check(err)
	for name, pair := range map[string]tls.Certificate{"signed": signed, "own": own} {
		chain, key, err := provisioning.PairPEM(pair)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name+".pem"), chain, 0o600))
		ts.Check(os.WriteFile(ts.MkAbs(name+".key"), key, 0o600))
	}
}
