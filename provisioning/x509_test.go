package provisioning_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
)

// made by openssl, with what `openssl x509 -fingerprint` and -subject say of it.
const (
	opensslPEM = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUKgAwIBAgIUWfvkATQqTO9oYwExdDmt1VyhMxwwCgYIKoZIzj0EAwIw
JTEQMA4GA1UECgwHQ29udG9zbzERMA8GA1UEAwwIZGV2MS1lY2MwHhcNMjYxMTIz
MDE0NzQwWhcNNDYxMTE4MDE0NzQwWjAlMRAwDgYDVQQKDAdDb250b3NvMREwDwYD
VQQDDAhkZXYxLWVjYzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJqYzwJUnRVL
ZOtE7Xeb5Ro6ycNVsbKiRQg6Lv1vDsNRA4xju8pPT+z777m2bxioH1OKiY7+u7gj
QXIQruOb4wyjUDBOMB0GA1UdDgQWBBRYQ2EIa8KSzrobo6wN+xeijo/i6jAfBgNV
HSMEGDAWgBRYQ2EIa8KSzrobo6wN+xeijo/i6jAMBgNVHRMBAf8EAjAAMAoGCCqG
SM49BAMCA0gAMEUCIQC8i0wVH1CL+iZoOP4cH+TSfo0dIng4s8/OYVPjxKWqaQIg
f9+mcJg8JcltndKYnf2yurWJ6sL5yD42xRXiSMEw3Ug=
-----END CERTIFICATE-----
`
	opensslSHA1   = "68BABAD6A4D9FACACE946758E5FEAF282CCAC21D"
	opensslSHA256 = "9D71E50DB0F388011A77C8AE96F06EC9F54EEB5697C98C9FF9C29745D4E4B84A"
	opensslSerial = "59FBE401342A4CEF686301317439ADD55CA1331C"
)

func TestCertificateIsReadFromPEMAndFromBase64(t *testing.T) {
	fromPEM, err := provisioning.ParseCertificate("some text before\n" + opensslPEM)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"base64":               base64.StdEncoding.EncodeToString(fromPEM.Raw),
		"base64 in lines":      strings.Join(strings.Split(opensslPEM, "\n")[1:len(strings.Split(opensslPEM, "\n"))-2], "\n"),
		"a chain, leaf first":  opensslPEM + string(newAuthority(t).PEM()),
		"with CRLF":            strings.ReplaceAll(opensslPEM, "\n", "\r\n"),
		"a space at both ends": " " + opensslPEM + " ",
	} {
		got, err := provisioning.ParseCertificate(text)
		if err != nil || !got.Equal(fromPEM.Certificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "not base64": "MII?", "base64 of something": "SGVsbG8=",
		"a key": "-----BEGIN PRIVATE KEY-----\nSGVsbG8=\n-----END PRIVATE KEY-----\n",
		"cut":   opensslPEM[:200],
	} {
		if _, err := provisioning.ParseCertificate(text); err == nil {
			t.Errorf("%s is taken for a certificate", name)
		} else if strings.Contains(err.Error(), "SGVsbG8") {
			t.Errorf("%s: the error quotes it: %v", name, err)
		}
	}
}

func TestCertificateInfoIsAsOpenSSLSaysIt(t *testing.T) {
	c, err := provisioning.ParseCertificate(opensslPEM)
	if err != nil {
		t.Fatal(err)
	}
	info := c.Info()
	if info.SHA1 != opensslSHA1 || info.SHA256 != opensslSHA256 || info.Serial != opensslSerial ||
		info.SubjectName != "CN=dev1-ecc,O=Contoso" || info.IssuerName != info.SubjectName || info.Version != 3 {
		t.Errorf("it says %+v", info)
	}
}

func newAuthority(t *testing.T) *provisioning.Authority {
	t.Helper()
	a, _ := authority(t, time.Now())
	return a
}

// chain is what a server sees of a client's certificate.
func chain(t *testing.T, c tls.Certificate, err error) []*x509.Certificate {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*x509.Certificate
	for _, der := range c.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, one)
	}
	return parsed
}

func TestAttestationTakesItsOwnDevicesOnly(t *testing.T) {
	root, other := newAuthority(t), newAuthority(t)
	below, err := root.Intermediate("below")
	if err != nil {
		t.Fatal(err)
	}
	issued := func(a *provisioning.Authority) []*x509.Certificate {
		c, err := a.IssueClient("dev1-ecc")
		return chain(t, c, err)
	}
	selfSigned, err := provisioning.SelfSigned("dev1-ecc", time.Now())
	own := chain(t, selfSigned, err)
	signing := provisioning.X509{Signing: provisioning.NewX509Certificates(root.Certificate(), provisioning.Certificate{})}
	client := provisioning.X509{Client: provisioning.NewX509Certificates(provisioning.Certificate{own[0]}, provisioning.Certificate{})}
	now, nextYear := time.Now(), time.Now().AddDate(1, 0, 1)
	tests := []struct {
		name  string
		by    provisioning.X509
		chain []*x509.Certificate
		at    time.Time
		taken bool
	}{
		{"signed by the authority", signing, issued(root), now, true},
		{"signed by an intermediate that came along", signing, issued(below), now, true},
		{"the intermediate did not come along", signing, issued(below)[:1], now, false},
		{"signed by another", signing, issued(other), now, false},
		{"signed by nobody", signing, own, now, false},
		{"expired", signing, issued(root), nextYear, false},
		{"the device's own", client, own, now, true},
		{"the device's own, expired", client, own, nextYear, false},
		{"another one of the same name", client, issued(root), now, false},
		{"none", signing, nil, now, false},
		{"a record without certificates", provisioning.X509{}, own, now, false},
	}
	for _, test := range tests {
		if err := test.by.Accept(test.chain, test.at); (err == nil) != test.taken {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestAttestationGoesThroughJSON(t *testing.T) {
	text := `{"type":"x509","x509":{"clientCertificates":{"primary":{"certificate":` + string(marshal(t, opensslPEM)) + `},"secondary":null}}}`
	var a provisioning.Attestation
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if err := a.X509.Check(false); err != nil {
		t.Error(err)
	}
	a.X509 = a.X509.Completed()
	kept := marshal(t, a)
	var again provisioning.Attestation
	if err := json.Unmarshal(kept, &again); err != nil || string(marshal(t, again)) != string(kept) {
		t.Errorf("%s comes back as %s, %v", kept, marshal(t, again), err)
	}
	shown := string(marshal(t, a.Public()))
	if strings.Contains(shown, `"certificate"`) || !strings.Contains(shown, `"sha256Thumbprint":"`+opensslSHA256) {
		t.Errorf("it is shown as %s", shown)
	}
	if len(a.X509.Client.All()) != 1 {
		t.Error("showing it has changed it")
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := provisioning.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestCertificatesInTheWrongPlaceAreRefused(t *testing.T) {
	leaf, err := provisioning.ParseCertificate(opensslPEM)
	if err != nil {
		t.Fatal(err)
	}
	pairOf := func(c provisioning.Certificate) *provisioning.X509Certificates {
		return provisioning.NewX509Certificates(c, provisioning.Certificate{})
	}
	ca := newAuthority(t).Certificate()
	names := &provisioning.X509References{Primary: "contoso-root"}
	tests := map[string]struct {
		attestation provisioning.X509
		group       bool
		wrong       string
	}{
		"a group's authority":           {provisioning.X509{Signing: pairOf(ca)}, true, ""},
		"a group's uploaded one":        {provisioning.X509{CA: names}, true, ""},
		"a device's own":                {provisioning.X509{Client: pairOf(leaf)}, false, ""},
		"a group with a device's":       {provisioning.X509{Client: pairOf(leaf)}, true, "are for individual enrollments"},
		"a device with an authority's":  {provisioning.X509{Signing: pairOf(ca)}, false, "are for groups"},
		"a device with an uploaded one": {provisioning.X509{CA: names}, false, "are for groups"},
		"a leaf for an authority":       {provisioning.X509{Signing: pairOf(leaf)}, true, "not a certificate authority's"},
		"both":                          {provisioning.X509{Signing: pairOf(ca), CA: names}, true, "both"},
		"nothing":                       {provisioning.X509{}, true, "no certificate"},
	}
	for name, test := range tests {
		err := test.attestation.Check(test.group)
		if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %v, want %q", name, err, test.wrong)
		}
	}
}

// An authority that was written down signs as before, an intermediate with its
// chain.
func TestAuthorityComesBackFromPEM(t *testing.T) {
	root := newAuthority(t)
	below, err := root.Intermediate("below")
	if err != nil {
		t.Fatal(err)
	}
	trusted := provisioning.X509{Signing: provisioning.NewX509Certificates(root.Certificate(), provisioning.Certificate{})}
	for _, a := range []*provisioning.Authority{root, below} {
		key, err := a.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		if !provisioning.HasKey(key) || provisioning.HasKey(a.PEM()) {
			t.Error("a key is not told from a certificate")
		}
		again, err := provisioning.ParseAuthority(append(a.PEM(), key...))
		if err != nil {
			t.Fatal(err)
		}
		c, err := again.IssueClient("dev1-ecc")
		if err := trusted.Accept(chain(t, c, err), time.Now()); err != nil {
			t.Error(err)
		}
	}
	for name, text := range map[string]string{"no key": string(root.PEM()), "nothing": "", "a leaf": leafWithKey(t)} {
		if _, err := provisioning.ParseAuthority([]byte(text)); err == nil {
			t.Errorf("%s: taken for an authority", name)
		}
	}
}

func leafWithKey(t *testing.T) string {
	t.Helper()
	c, err := provisioning.SelfSigned("dev1-ecc", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := provisioning.PairPEM(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		t.Error(err)
	}
	return string(certificate) + string(key)
}

// BenchmarkIssueClient is one device's certificate, on one processor.
func BenchmarkIssueClient(b *testing.B) {
	a, err := provisioning.NewAuthority("a benchmark's", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.IssueClient("breakroom1-contoso-tstrsd-007"); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzAttestation reads records as a service client sends them.
func FuzzAttestation(f *testing.F) {
	f.Add([]byte(`{"type":"x509","x509":{"signingCertificates":{"primary":{"certificate":"MII="}}}}`))
	f.Add([]byte(`{"type":"x509","x509":{"caReferences":{"primary":"a"}}}`))
	f.Add([]byte(`{"type":"x509","x509":{"clientCertificates":{"primary":{"certificate":"` + strings.ReplaceAll(opensslPEM, "\n", `\n`) + `"}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var a provisioning.Attestation
		if json.Unmarshal(text, &a) != nil || a.X509 == nil {
			return
		}
		a.X509.Check(true)
		a.X509 = a.X509.Completed()
		kept, err := provisioning.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var again provisioning.Attestation
		if err := json.Unmarshal(kept, &again); err != nil {
			t.Errorf("%s was written and is not read: %v", kept, err)
		}
		if len(again.X509.Client.All()) != len(a.X509.Client.All()) {
			t.Errorf("%s has lost a certificate", kept)
		}
		provisioning.Marshal(a.Public())
	})
}
