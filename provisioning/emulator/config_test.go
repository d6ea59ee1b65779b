package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/memnet"
)

func TestAllMistakesOfAConfigurationAreReportedAtOnce(t *testing.T) {
	policy := allocation.Contoso()
	record := func(id string, change func(e *emulator.Enrollment)) emulator.Enrollment {
		e := emulator.Enrollment{Enrollment: provisioning.Enrollment{EnrollmentGroupID: id}}
		change(&e)
		return e
	}
	secret := "the-functions-secret"
	_, err := emulator.New(t.Context(), emulator.Config{
		IDScope:    "0ne/1",
		LinkedHubs: []string{"a.example", "A.example", "http://b"},
		Enrollments: []emulator.Enrollment{
			record("", func(*emulator.Enrollment) {}),
			record("twice", func(*emulator.Enrollment) {}),
			record("twice", func(*emulator.Enrollment) {}),
			record("kind", func(e *emulator.Enrollment) { e.Attestation.Type = provisioning.AttestTPM }),
			record("state", func(e *emulator.Enrollment) { e.Provisioning = "off" }),
			record("hub", func(e *emulator.Enrollment) { e.IoTHubs = []string{"c.example"} }),
			record("short", func(e *emulator.Enrollment) {
				e.Attestation.SymmetricKey = &provisioning.SymmetricKey{Primary: provisioning.Key("secret")}
			}),
			record("webhook", func(e *emulator.Enrollment) {
				e.CustomAllocation = &provisioning.CustomAllocationDefinition{WebhookURL: "ftp://x?code=" + secret}
			}),
			record("custom", func(e *emulator.Enrollment) { e.Allocation = provisioning.AllocateCustom }),
			record("static", func(e *emulator.Enrollment) {
				e.Allocation, e.Policy = provisioning.AllocateStatic, &policy
			}),
			record("geo", func(e *emulator.Enrollment) { e.Allocation = "nearest" }),
			{Enrollment: provisioning.Enrollment{RegistrationID: "a/b"}},
		},
	})
	if err == nil {
		t.Fatal("a cloud has started")
	}
	for _, part := range []string{
		"0ne/1", "A.example is there twice", "http://b", "needs either a registration id", `"twice" is there twice`, `"tpm"`, `"off"`,
		`"c.example"`, "6 bytes", "not an http or https URL", "400004", `"static", and it names`, `"nearest"`, "'/'",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not mention %s:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error holds the function's key:\n%v", err)
	}
}

func TestACloudWithNothingInItIsRefused(t *testing.T) {
	_, err := emulator.New(t.Context(), emulator.Config{})
	if err == nil || !strings.Contains(err.Error(), "no linked hub") || !strings.Contains(err.Error(), "no enrollment") {
		t.Errorf("error = %v", err)
	}
}

func TestAnAddressInUseIsAnErrorAndNothingIsLeft(t *testing.T) {
	var network memnet.Network
	taken, err := network.Listen("tcp", "127.0.0.1:8883")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := contoso(t)
	cfg.Listen, cfg.Dial, cfg.Address = network.Listen, network.Dial, "127.0.0.1:8883"
	if _, err := emulator.New(t.Context(), cfg); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "127.0.0.1:8883") {
		t.Errorf("error = %v", err)
	}
}

func TestTheCloudEndsWithItsContext(t *testing.T) {
	var network memnet.Network
	ctx, cancel := context.WithCancel(t.Context())
	cfg := contoso(t)
	cfg.Listen, cfg.Dial = network.Listen, network.Dial
	cloud, err := emulator.New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range 2 {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	}
	if nc, err := network.Dial(t.Context(), "tcp", cloud.Addr()); err == nil {
		nc.Close()
		t.Error("it still listens")
	}
}

func TestEachNameHasItsCertificate(t *testing.T) {
	cfg := contoso(t)
	cfg.TLS = true
	cloud, err := emulator.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cloud.CA())
	names := []string{
		toastersHub, strings.ToUpper(heatpumpsHub), "127.0.0.1", "localhost",
		"global.azure-devices-provisioning.net", "contoso.azure-devices-provisioning.net",
	}
	for _, name := range names {
		conn, err := tls.Dial("tcp", cloud.Addr(), &tls.Config{RootCAs: roots, ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conn.Close()
	}
	if conn, err := tls.Dial("tcp", cloud.Addr(), &tls.Config{RootCAs: roots, ServerName: "elsewhere.example"}); err == nil {
		conn.Close()
		t.Error("there is a certificate for a name that nobody declared")
	}
	if strings.Contains(string(cloud.CA()), "PRIVATE KEY") {
		t.Error("the CA's key has left the process")
	}
}

func TestSpans(t *testing.T) {
	for _, text := range []string{"0s", "50ms", "3.2s..5.5s", "1m0s"} {
		span, err := emulator.ParseSpan(text)
		if err != nil || span.String() != text {
			t.Errorf("%s is read as %s, %v", text, span, err)
		}
	}
	for _, text := range []string{"", "3", "-1s", "5s..3s", "1s..", "1s...2s", "a..b"} {
		if span, err := emulator.ParseSpan(text); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%q is read as %s, %v", text, span, err)
		}
	}
}

// TestEverySettingIsListed finds the members of Undocumented in the list that
// people read.
func TestEverySettingIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, s := range emulator.Settings() {
		listed[s.Name] = s.Default != "" && s.About != ""
	}
	var names func(prefix string, of reflect.Type)
	names = func(prefix string, of reflect.Type) {
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if field.Type.Kind() == reflect.Struct && field.Type != reflect.TypeFor[emulator.Span]() {
				names(prefix+name+".", field.Type)
				continue
			}
			if !listed[prefix+name] {
				t.Errorf("%s%s is not listed with a default and a sentence", prefix, name)
			}
		}
	}
	names("", reflect.TypeFor[emulator.Undocumented]())
}

func TestAnswersAsAScenarioHasThem(t *testing.T) {
	const text = `{"register":"50ms","allocate":"3.2s..5.5s","retryAfter":"3s"}`
	var read emulator.Answers
	if err := json.Unmarshal([]byte(text), &read); err != nil || read != emulator.Realistic() {
		t.Errorf("%s is read as %+v, %v; want what is realistic", text, read, err)
	}
	if written, err := json.Marshal(emulator.Realistic()); err != nil || string(written) != text {
		t.Errorf("written as %s, %v", written, err)
	}
	if err := json.Unmarshal([]byte(`{"register":"soon"}`), &read); err == nil {
		t.Error("soon is a duration")
	}
}

// TestAcceptErrorsPass: a cloud that is out of open files serves again when there
// are some.
func TestAcceptErrorsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		cfg := contoso(t)
		cfg.Enrollments = []emulator.Enrollment{static(t)}
		cfg.Dial = network.Dial
		cfg.Listen = func(kind, address string) (net.Listener, error) {
			l, err := network.Listen(kind, address)
			return &exhausted{Listener: l, failures: 10}, err
		}
		cloud, err := emulator.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, network: &network, cloud: cloud}
		defer w.close()
		c := w.device(toaster)
		defer c.nc.Close()
		c.register(t)
	})
}

type exhausted struct {
	net.Listener
	failures int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

func FuzzParseSpan(f *testing.F) {
	for _, text := range []string{"50ms", "3.2s..5.5s", "1s...2s", "-1s", "1h..2540400h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		span, err := emulator.ParseSpan(text)
		if err != nil {
			return
		}
		if again, err := emulator.ParseSpan(span.String()); err != nil || again != span || span.Min < 0 || span.Max < span.Min {
			t.Errorf("%q is %s, which is read as %s, %v", text, span, again, err)
		}
	})
}
