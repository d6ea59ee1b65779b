package scenarios

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dpsfleet/fleet"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// attest fills in how the devices of a record prove who they are. Keys and
// certificates that the scenario does not bring are the emulator's to make.
func (s Scenario) attest(record *emulator.Enrollment, e Enrollment) {
	if e.Attestation != provisioning.AttestX509 {
		keys := &provisioning.SymmetricKey{Primary: e.PrimaryKey, Secondary: e.SecondaryKey}
		record.Attestation = provisioning.Attestation{Type: provisioning.AttestSymmetricKey, SymmetricKey: keys}
		return
	}
	record.Attestation.Type = provisioning.AttestX509
	switch ca := s.proofs[e.CA]; {
	case ca.authority != nil:
		record.Authority = ca.authority
	case e.CA != "":
		record.Attestation.X509 = &provisioning.X509{Signing: provisioning.NewX509Certificates(ca.certificate, provisioning.Certificate{})}
	case e.Certificate != "":
		leaf := s.proofs[e.Certificate].certificate
		record.Attestation.X509 = &provisioning.X509{Client: provisioning.NewX509Certificates(leaf, provisioning.Certificate{})}
	}
}

// certified reports whether an enrollment attests by certificate.
func (c Cloud) certified() bool {
	return slices.ContainsFunc(c.records(), func(e Enrollment) bool { return e.Attestation == provisioning.AttestX509 })
}

// needsTLS complains of a network that a certificate cannot be brought over.
func (r *run) needsTLS() error {
	if r.env.Network.secure() || !r.Cloud.certified() {
		return nil
	}
	return fmt.Errorf("an enrollment has attestation: x509, and a certificate is brought to the TLS handshake, which --network %s has not; use --network tls or wss", r.env.Network)
}

// byCertificate returns the enrollment of a device and whether it attests by
// certificate.
func (r *run) byCertificate(f Fleet, id string) (enrollment string, yes bool) {
	if e, individual := r.Cloud.IndividualEnrollments[id]; individual {
		return id, e.Attestation == provisioning.AttestX509
	}
	group := r.groupOf(f)
	return group, r.Cloud.EnrollmentGroups[group].Attestation == provisioning.AttestX509
}

// makeCertificates makes those of all devices before the first one starts: no
// boot is to wait for one. They are by fleet and then by arrival; nil for a
// device with a key.
func (r *run) makeCertificates(ctx context.Context) error {
	if !r.Cloud.certified() {
		return nil
	}
	r.certificates = make([][]*tls.Certificate, len(r.Fleets))
	for i, f := range r.Fleets {
		made, err := r.fleetCertificates(ctx, i)
		if err != nil {
			return fmt.Errorf("fleet %s: %w", f.Name, err)
		}
		r.certificates[i] = made
	}
	return nil
}

// fleetCertificates shares the work among all processors: one certificate is a
// tenth of a millisecond of a processor's time.
func (r *run) fleetCertificates(ctx context.Context, number int) ([]*tls.Certificate, error) {
	f := r.Fleets[number]
	made, errs := make([]*tls.Certificate, f.Count), make([]error, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < f.Count && errs[w] == nil && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				made[i], errs[w] = r.makeCertificate(fleet.Arrival{Fleet: number, Index: i})
			}
		})
	}
	workers.Wait()
	return made, errors.Join(append(errs, context.Cause(ctx))...)
}

func (r *run) makeCertificate(a fleet.Arrival) (*tls.Certificate, error) {
	f := r.Fleets[a.Fleet]
	id, err := r.kinds[a.Fleet].ID(r.number(a))
	if err != nil {
		return nil, err
	}
	enrollment, yes := r.byCertificate(f, id)
	if !yes {
		return nil, nil
	}
	if f.Certificate == CertificateSelfSigned {
		made, err := provisioning.SelfSigned(id, time.Now())
		return &made, err
	}
	made, err := r.cloud.Certificate(enrollment, id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put the authority's key into its file, or leave the file out", id, err)
	}
	return &made, nil
}

// certificate is the one that a device brings, nil for none.
func (r *run) certificate(a fleet.Arrival) *tls.Certificate {
	switch {
	case r.cloud == nil:
		return r.Scenario.Target.Certificate
	case r.certificates == nil:
		return nil
	}
	return r.certificates[a.Fleet][a.Index]
}
