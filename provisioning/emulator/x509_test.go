package emulator_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
)

const (
	x509Group = "contoso-certified-devices"
	x509ID    = "dev1-ecc"
)

// certified is a cloud with one group that attests by certificate.
func certified(t testing.TB) emulator.Config {
	contoso := allocation.Contoso()
	return emulator.Config{
		LinkedHubs: []string{toastersHub, heatpumpsHub},
		TLS:        true,
		Seed:       7,
		Enrollments: []emulator.Enrollment{{
			Enrollment: provisioning.Enrollment{
				EnrollmentGroupID: x509Group, Attestation: provisioning.Attestation{Type: provisioning.AttestX509},
			},
			Policy: &contoso,
		}},
	}
}

func attests(client, signing *provisioning.X509Certificates) provisioning.Attestation {
	return provisioning.Attestation{Type: provisioning.AttestX509, X509: &provisioning.X509{Client: client, Signing: signing}}
}

func authority(t testing.TB, name string) *provisioning.Authority {
	t.Helper()
	a, err := provisioning.NewAuthority(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func pair(c *provisioning.Authority) *provisioning.X509Certificates {
	return provisioning.NewX509Certificates(c.Certificate(), provisioning.Certificate{})
}

// secured is a wire over TLS, with a certificate or without. The server's is not
// looked at: some tests let its time pass.
func (w *world) secured(certificates ...tls.Certificate) *wire {
	w.t.Helper()
	nc, err := w.dial()
	if err != nil {
		w.t.Fatal(err)
	}
	return &wire{t: w.t, nc: tls.Client(nc, &tls.Config{InsecureSkipVerify: true, Certificates: certificates})}
}

func withoutPassword(clientID, user string) *packets.ConnectPacket {
	p := connectPacket(clientID, user, "")
	p.PasswordFlag, p.Password = false, nil
	return p
}

// TestCertificatesThatAreTaken boots a device by each kind of record, and lets it
// join its hub with the same certificate.
func TestCertificatesThatAreTaken(t *testing.T) {
	tests := []struct {
		name string
		// enroll fits a record to what it returns: the device's certificate.
		enroll   func(t *testing.T, cfg *emulator.Config) tls.Certificate
		password bool
	}{
		{name: "signed by the group's authority", enroll: func(t *testing.T, cfg *emulator.Config) tls.Certificate {
			cfg.Enrollments[0].Authority = authority(t, "theirs")
			return must[tls.Certificate](t)(cfg.Enrollments[0].Authority.IssueClient(x509ID))
		}},
		{name: "password flag and an empty password", password: true, enroll: func(t *testing.T, cfg *emulator.Config) tls.Certificate {
			cfg.Enrollments[0].Authority = authority(t, "theirs")
			return must[tls.Certificate](t)(cfg.Enrollments[0].Authority.IssueClient(strings.ToUpper(x509ID)))
		}},
		{name: "signed by an intermediate that comes in the handshake", enroll: func(t *testing.T, cfg *emulator.Config) tls.Certificate {
			root := authority(t, "root")
			cfg.Enrollments[0].Attestation = attests(nil, pair(root))
			below := must[*provisioning.Authority](t)(root.Intermediate("below"))
			return must[tls.Certificate](t)(below.IssueClient(x509ID))
		}},
		{name: "the group has the intermediate alone", enroll: func(t *testing.T, cfg *emulator.Config) tls.Certificate {
			below := must[*provisioning.Authority](t)(authority(t, "root").Intermediate("below"))
			cfg.Enrollments[0].Attestation = attests(nil, pair(below))
			return must[tls.Certificate](t)(below.IssueClient(x509ID))
		}},
		{name: "signed by the secondary authority", enroll: func(t *testing.T, cfg *emulator.Config) tls.Certificate {
			old, next := authority(t, "old"), authority(t, "next")
			cfg.Enrollments[0].Attestation = attests(nil, provisioning.NewX509Certificates(old.Certificate(), next.Certificate()))
			return must[tls.Certificate](t)(next.IssueClient(x509ID))
		}},
		{name: "signed by an uploaded authority that the group names", enroll: func(t *testing.T, cfg *emulator.Config) tls.Certificate {
			uploaded := authority(t, "uploaded")
			cfg.CACertificates = map[string]provisioning.Certificate{"contoso-root": uploaded.Certificate()}
			a := attests(nil, nil)
			a.X509.CA = &provisioning.X509References{Primary: "contoso-root"}
			cfg.Enrollments[0].Attestation = a
			return must[tls.Certificate](t)(uploaded.IssueClient(x509ID))
		}},
		{name: "the individual enrollment's own", enroll: func(t *testing.T, cfg *emulator.Config) tls.Certificate {
			own := must[tls.Certificate](t)(provisioning.SelfSigned(x509ID, time.Now()))
			leaf := must[provisioning.Certificate](t)(provisioning.LeafOf(own))
			cfg.Enrollments = append(cfg.Enrollments, x509Individual(attests(provisioning.NewX509Certificates(provisioning.Certificate{}, leaf), nil)))
			return own
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := certified(t)
				certificate := test.enroll(t, &cfg)
				for i := range cfg.Enrollments {
					cfg.Enrollments[i].Policy, cfg.Enrollments[i].Allocation = nil, provisioning.AllocateStatic
				}
				w := startIn(t, cfg)
				defer w.close()
				c := w.secured(certificate)
				defer c.nc.Close()
				hello := withoutPassword(x509ID, userName(x509ID))
				hello.PasswordFlag = test.password
				if code := c.connect(hello); code != 0 {
					t.Fatalf("CONNACK %d", code)
				}
				c.subscribe(1, answerFilter)
				if last, _ := c.verdict(t, c.register(t)); last.Status != "assigned" {
					t.Fatalf("the verdict is %+v", last)
				}
				atHub := w.secured(certificate)
				defer atHub.nc.Close()
				if code := atHub.connect(withoutPassword(x509ID, toastersHub+"/"+x509ID+"/?api-version=2021-04-12")); code != 0 {
					t.Errorf("at the hub: CONNACK %d", code)
				}
			})
		})
	}
}

func x509Individual(a provisioning.Attestation) emulator.Enrollment {
	return emulator.Enrollment{Enrollment: provisioning.Enrollment{RegistrationID: x509ID, Attestation: a}}
}

// TestCertificatesThatAreRefused: the service was seen to answer the registration
// with 401002, and the CONNECT with 5 where the names differ.
func TestCertificatesThatAreRefused(t *testing.T) {
	const invalid = "401 401002 Invalid certificate."
	selfSigned := func(t *testing.T, _ *emulator.Cloud) []tls.Certificate {
		return []tls.Certificate{must[tls.Certificate](t)(provisioning.SelfSigned(x509ID, time.Now()))}
	}
	groups := func(t *testing.T, cloud *emulator.Cloud) []tls.Certificate {
		return []tls.Certificate{must[tls.Certificate](t)(cloud.Certificate(x509Group, x509ID))}
	}
	settings := func(u emulator.Undocumented) func(*emulator.Config) {
		return func(cfg *emulator.Config) { cfg.Undocumented = u }
	}
	with := func(a provisioning.Attestation) func(*emulator.Config) {
		return func(cfg *emulator.Config) { cfg.Enrollments = append(cfg.Enrollments, x509Individual(a)) }
	}
	// Of a group without keys anybody could compute the key that none derives.
	nobodys := token(provisioning.Key{}.Derive(x509ID), scope+"/registrations/"+x509ID, 200*365*24*time.Hour)
	tests := []struct {
		name     string
		change   func(*emulator.Config)
		bring    func(t *testing.T, cloud *emulator.Cloud) []tls.Certificate
		password string
		later    time.Duration
		connack  byte
		want     string
	}{
		{name: "nobody has signed it", bring: selfSigned, want: invalid},
		{name: "another authority has signed it", want: invalid, bring: func(t *testing.T, _ *emulator.Cloud) []tls.Certificate {
			return []tls.Certificate{must[tls.Certificate](t)(authority(t, x509Group).IssueClient(x509ID))}
		}},
		{name: "it has expired", bring: groups, later: 367 * 24 * time.Hour, want: invalid},
		{name: "the individual enrollment's has expired", later: 367 * 24 * time.Hour, want: invalid,
			change: with(provisioning.Attestation{Type: provisioning.AttestX509}), bring: func(t *testing.T, cloud *emulator.Cloud) []tls.Certificate {
				return []tls.Certificate{must[tls.Certificate](t)(cloud.Certificate(x509ID, x509ID))}
			}},
		{name: "it is another device's", connack: 5, bring: func(t *testing.T, cloud *emulator.Cloud) []tls.Certificate {
			return []tls.Certificate{must[tls.Certificate](t)(cloud.Certificate(x509Group, "dev2-ecc"))}
		}},
		{name: "the individual enrollment has another", bring: groups, want: invalid,
			change: with(provisioning.Attestation{Type: provisioning.AttestX509})},
		{name: "the individual enrollment attests by key", bring: groups, change: with(provisioning.Attestation{}), want: invalid},
		{name: "at the CONNECT if set so", bring: selfSigned, connack: 5, change: settings(emulator.Undocumented{RefuseAtConnect: true})},
		{name: "none came", want: "401 401000 Unauthorized"},
		{name: "a token that anybody can make", password: nobodys, want: "401 401000 Unauthorized"},
		{name: "a token goes before a good certificate", bring: groups, password: nobodys, want: "401 401000 Unauthorized"},
		{name: "unless set otherwise", bring: selfSigned, password: nobodys, want: invalid,
			change: settings(emulator.Undocumented{CertificateOverToken: true})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := certified(t)
				if test.change != nil {
					test.change(&cfg)
				}
				w := startIn(t, cfg)
				defer w.close()
				var brought []tls.Certificate
				if test.bring != nil {
					brought = test.bring(t, w.cloud)
				}
				time.Sleep(test.later)
				c := w.secured(brought...)
				defer c.nc.Close()
				if code := c.connect(connectPacket(x509ID, userName(x509ID), test.password)); code != test.connack {
					t.Fatalf("CONNACK %d, want %d", code, test.connack)
				}
				if test.connack == 0 {
					c.subscribe(1, answerFilter)
					checkRefusal(t, c.ask(1, registerTopic, ""), test.want)
				}
			})
		})
	}
}

// TestHubRefusesOtherCertificates: every device of a group has a chain that its
// hub trusts, and may connect as itself alone.
func TestHubRefusesOtherCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := certified(t)
		cfg.Enrollments[0].Policy, cfg.Enrollments[0].Allocation = nil, provisioning.AllocateStatic
		w := startIn(t, cfg)
		defer w.close()
		own := must[tls.Certificate](t)(w.cloud.Certificate(x509Group, x509ID))
		c := w.secured(own)
		defer c.nc.Close()
		c.connect(withoutPassword(x509ID, userName(x509ID)))
		c.subscribe(1, answerFilter)
		c.verdict(t, c.register(t))
		key := provisioning.Key{}.Derive(x509ID)
		other := must[tls.Certificate](t)(w.cloud.Certificate(x509Group, "dev2-ecc"))
		for name, test := range map[string]struct {
			brought  []tls.Certificate
			password string
			code     byte
		}{
			"its own":          {brought: []tls.Certificate{own}},
			"another device's": {brought: []tls.Certificate{other}, code: 5},
			"none":             {code: 5},
			"none and a token": {password: token(key, toastersHub+"/devices/"+x509ID, time.Hour), code: 5},
		} {
			h := w.secured(test.brought...)
			hello := connectPacket(x509ID, toastersHub+"/"+x509ID+"/?api-version=2021-04-12", test.password)
			if code := h.connect(hello); code != test.code {
				t.Errorf("%s: CONNACK %d, want %d", name, code, test.code)
			}
			h.nc.Close()
		}
	})
}

// TestX509BodyHasTheLengthOfTheLiveService: with ids as long as those of the
// capture, 447 bytes, and "x509":{} before everything else.
func TestX509BodyHasTheLengthOfTheLiveService(t *testing.T) {
	const hubName = "contoso-hub-001.azure-devices.net"
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(882867400 * time.Nanosecond) // so that times have seven digits
		cfg := certified(t)
		cfg.LinkedHubs = []string{hubName}
		cfg.Enrollments[0].Policy, cfg.Enrollments[0].Allocation = nil, provisioning.AllocateStatic
		w := startIn(t, cfg)
		defer w.close()
		c := w.secured(must[tls.Certificate](t)(w.cloud.Certificate(x509Group, x509ID)))
		defer c.nc.Close()
		c.connect(withoutPassword(x509ID, userName(x509ID)))
		c.subscribe(1, answerFilter)
		id := c.register(t)
		time.Sleep(6 * time.Second)
		answer := c.ask(0, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=3&operationId="+id, "")
		golden(t, "body-x509.txt", fmt.Sprintf("%d bytes on %s\n%s\n", len(answer.Payload), answer.TopicName, answer.Payload))
		if len(answer.Payload) != 447 {
			t.Errorf("%d bytes, want 447", len(answer.Payload))
		}
	})
}

// TestWebhookSeesTheCertificate as published functions read it, or without it.
func TestWebhookSeesTheCertificate(t *testing.T) {
	for hidden, want := range map[bool]string{false: "", true: `"x509":{}`} {
		synctest.Test(t, func(t *testing.T) {
			cfg := certified(t)
			cfg.Undocumented.WebhookWithoutCertificate = hidden
			w := startIn(t, cfg)
			defer w.close()
			certificate := must[tls.Certificate](t)(w.cloud.Certificate(x509Group, x509ID))
			c := w.secured(certificate)
			defer c.nc.Close()
			c.connect(withoutPassword(x509ID, userName(x509ID)))
			c.subscribe(1, answerFilter)
			c.verdict(t, c.register(t))
			if !hidden {
				der, _ := json.Marshal(certificate.Certificate[0])
				want = `"x509":{"clientCertificate":` + string(der) + `}`
			}
			asked := string(w.recorded(provisioning.ExchangeAllocate)[0].Asked)
			contains(t, "the webhook's request", asked, want)
			contains(t, "the webhook's request", asked, `"attestation":{"type":"x509"}`)
			if strings.Contains(asked, "symmetricKey") {
				t.Errorf("the webhook's request speaks of a key: %s", asked)
			}
		})
	}
}

func TestMistakesOfAttestation(t *testing.T) {
	withKey := provisioning.Attestation{Type: provisioning.AttestX509, SymmetricKey: &provisioning.SymmetricKey{}}
	untyped := attests(nil, pair(authority(t, "a")))
	untyped.Type = ""
	for name, test := range map[string]struct {
		attestation provisioning.Attestation
		plain       bool
		says        string
	}{
		"TPM":                     {attestation: provisioning.Attestation{Type: provisioning.AttestTPM}, says: "DPS attests no TPM over MQTT"},
		"keys and certificates":   {attestation: withKey, says: "attests by certificate and has keys"},
		"certificates for keys":   {attestation: untyped, says: `then its attestation is "x509"`},
		"no certificate in there": {attestation: attests(nil, nil), says: "no certificate"},
		"no TLS":                  {attestation: attests(nil, pair(authority(t, "a"))), plain: true, says: "without TLS"},
		"something else":          {attestation: provisioning.Attestation{Type: "x508"}, says: `"x508", neither symmetricKey nor x509`},
	} {
		cfg := certified(t)
		cfg.Enrollments[0].Attestation, cfg.TLS = test.attestation, !test.plain
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

func TestTPMIsRefusedInASentence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		c := w.wire()
		defer c.nc.Close()
		c.connect(withoutPassword(toaster, userName(toaster)))
		c.subscribe(1, answerFilter)
		answer := c.ask(1, registerTopic, `{"registrationId":"`+toaster+`","tpm":{"endorsementKey":"AAA=","storageRootKey":"AAA="}}`)
		contains(t, "the answer", string(answer.Payload), `"message":"TPM attestation is not available: DPS attests no TPM over MQTT`)
	})
}
