package provisioning_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"testing"
	"time"

	"dpsfleet/provisioning"
)

func authority(t *testing.T, now time.Time) (*provisioning.Authority, *x509.CertPool) {
	t.Helper()
	ca, err := provisioning.NewAuthority("a test's CA", now)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca.PEM()) {
		t.Fatal("the authority's PEM holds no certificate")
	}
	return ca, pool
}

func TestServerIsTrustedUnderAllItsNames(t *testing.T) {
	now := time.Now()
	ca, pool := authority(t, now)
	names := []string{"global.azure-devices-provisioning.net", "*.azure-devices.net", "localhost", "127.0.0.1", "::1"}
	issued, err := ca.Issue(names...)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(issued.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{names[0], "contoso-toasters-hub-1098.azure-devices.net", "localhost", "127.0.0.1", "[::1]"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: now}); err != nil {
			t.Error(err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "example.com", CurrentTime: now}); err == nil {
		t.Error("it is right for example.com too")
	}
	if !slices.Equal(leaf.DNSNames, names[:3]) || len(leaf.IPAddresses) != 2 {
		t.Errorf("names %v and %v", leaf.DNSNames, leaf.IPAddresses)
	}
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is a %T, want ECDSA P-256", leaf.PublicKey)
	}
}

func TestAnotherAuthoritysServerIsNotTrusted(t *testing.T) {
	now := time.Now()
	_, pool := authority(t, now)
	other, _ := authority(t, now)
	issued, err := other.Issue("localhost")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(issued.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "localhost"}); err == nil {
		t.Error("it is trusted")
	}
}

func TestCertificatesLastAYear(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	ca, pool := authority(t, now)
	issued, err := ca.Issue("localhost")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(issued.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]bool{
		now.Add(-2 * time.Hour):    false,
		now.Add(-30 * time.Minute): true, // a client whose clock is behind
		now:                        true,
		now.AddDate(1, 0, -1):      true,
		now.AddDate(1, 0, 1):       false,
	} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at}); (err == nil) != want {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

func TestHandshakeWithAnIssuedCertificate(t *testing.T) {
	ca, pool := authority(t, time.Now())
	issued, err := ca.Issue("hub.azure-devices.net")
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	served := make(chan error, 1)
	go func() {
		defer far.Close()
		server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{issued}, MaxVersion: tls.VersionTLS12})
		served <- server.Handshake()
	}()
	client := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: "hub.azure-devices.net"})
	if err := client.Handshake(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestCertificateForNobodyIsRefused(t *testing.T) {
	ca, _ := authority(t, time.Now())
	if _, err := ca.Issue(); err == nil {
		t.Error("a certificate without a name was made")
	}
}
