package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"dpsfleet/provisioning/emulator"
)

func TestCloudIsCalledWhatItsCertificateSays(t *testing.T) {
	for name, c := range map[string]struct {
		listen   string
		names    []string
		endpoint string // its host
		also     []string
	}{
		"loopback":          {"127.0.0.1:0", nil, "localhost", []string{"127.0.0.1", "::1"}},
		"another loopback":  {"127.0.0.2:0", nil, "127.0.0.2", []string{"localhost"}},
		"everywhere":        {"0.0.0.0:0", nil, "localhost", nil},
		"in a container":    {"0.0.0.0:0", []string{"dps", "192.168.1.5"}, "dps", []string{"192.168.1.5", "localhost", "DPS"}},
		"by an own address": {"127.0.0.1:0", []string{"fd00::5"}, "[fd00::5]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := withFace(contoso(t))
			cfg.TLS, cfg.Address, cfg.HTTPS, cfg.Names = true, c.listen, c.listen, c.names
			cloud, err := emulator.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer cloud.Close()
			for _, endpoint := range []string{cloud.Endpoint(), cloud.HTTPSEndpoint()} {
				if !strings.HasPrefix(endpoint, c.endpoint+":") {
					t.Errorf("it is called %s, want %s", endpoint, c.endpoint)
				}
			}
			if text := cloud.ServiceConnectionString(); !strings.HasPrefix(text, "HostName="+c.endpoint+":") {
				t.Errorf("back ends connect to %.40s, want %s", text, c.endpoint)
			}
			if status := statusFor(t, cloud); status != http.StatusUnauthorized { // and not that it is misdirected
				t.Errorf("a request to %s: status %d", cloud.HTTPSEndpoint(), status)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(cloud.CA())
			for _, host := range append(c.also, strings.Trim(c.endpoint, "[]")) {
				conn, err := tls.Dial("tcp", reachable(cloud.Addr()), &tls.Config{RootCAs: roots, ServerName: host})
				if err != nil {
					t.Errorf("called %s: %v", host, err)
					continue
				}
				conn.Close()
			}
		})
	}
}

// reachable is where a cloud listens, or loopback where it listens everywhere.
func reachable(address string) string { return strings.Replace(address, "[::]", "127.0.0.1", 1) }

// statusFor is the answer to a request that came to the name of the HTTP face.
func statusFor(t *testing.T, cloud *emulator.Cloud) int {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cloud.CA())
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, reachable(cloud.HTTPSAddr()))
		},
	}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get("https://" + cloud.HTTPSEndpoint() + "/emulator/exchanges")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestNameIsAHost(t *testing.T) {
	for _, wrong := range []string{"", "dps:8883", "https://dps", "a b", "mün.example", "0.0.0.0", "*.example"} {
		cfg := contoso(t)
		cfg.Names = []string{wrong}
		if err := cfg.Check(); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("the name %q is ", wrong)) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
