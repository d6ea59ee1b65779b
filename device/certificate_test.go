package device_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
)

// A token must be renewed, which takes a new connection; a certificate must not.
func TestDeviceWithACertificateStaysConnected(t *testing.T) {
	for name, test := range map[string]struct {
		certificate *tls.Certificate
		joins       int
	}{"token": {nil, 4}, "certificate": {new(tls.Certificate), 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := play(t, t.Context(), good(), func(d *device.Device, _ *device.Target) {
					d.Until, d.Stay, d.Certificate = device.UntilOnline, 3*time.Hour, test.certificate
				})
				if joins := strings.Count(b.life, " joining"); joins != test.joins {
					t.Errorf("joined its hub %d times, want %d: %s", joins, test.joins, b.life)
				}
				if e := b.events[len(b.events)-1]; e.To != device.Off || e.Err != nil {
					t.Errorf("ended in %s with %v", e.To, e.Err)
				}
			})
		})
	}
}

// A certificate that DPS does not take is a mistake in the set-up of its own kind.
func TestRefusedCertificateIsACause(t *testing.T) {
	invalid := reply{status: 401, body: `{"errorCode":401002,"trackingId":"","message":"Invalid certificate.","timestampUtc":"2020-04-10T05:24:22Z"}`}
	for name, s := range map[string]*script{
		"on the registration": {registers: []reply{invalid}},
		"on the CONNECT":      {dps: []byte{5}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := play(t, t.Context(), s, func(d *device.Device, _ *device.Target) { d.Certificate = new(tls.Certificate) })
			if f := b.failure(t); f.Cause != device.CauseCertificate || f.Outcome != device.OutcomeRefused {
				t.Errorf("%s: the cause is %q, the outcome %s", name, f.Cause, f.Outcome)
			}
		})
	}
}
