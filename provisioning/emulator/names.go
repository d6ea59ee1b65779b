package emulator

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// names are what clients may call DPS, and its certificate has: Azure's names, this
// machine's for itself, the addresses that it listens on, and Config.Names.
func (c *Cloud) names() []string {
	names := []string{"global.azure-devices-provisioning.net", "*.azure-devices-provisioning.net", "localhost", "127.0.0.1", "::1"}
	more := slices.Clone(c.cfg.Names)
	for _, address := range []string{c.cfg.Address, c.cfg.HTTPS} {
		host, _, err := net.SplitHostPort(address)
		if err == nil && host != "" && !everywhere(host) {
			more = append(more, host)
		}
	}
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// faceHosts are what the HTTP face is called. [rest.Guard] takes them.
func (c *Cloud) faceHosts() []string { return append(c.names(), c.cfg.LinkedHubs...) }

// Endpoint is what clients dial DPS and the hubs by, with its port: the first of
// Config.Names, or else the address that it listens on, which is localhost for
// 127.0.0.1 and for all addresses at once.
func (c *Cloud) Endpoint() string { return c.called(c.Addr()) }

// HTTPSEndpoint is what clients dial the HTTP face by; empty without one.
func (c *Cloud) HTTPSEndpoint() string { return c.called(c.HTTPSAddr()) }

func (c *Cloud) called(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	switch {
	case len(c.cfg.Names) > 0:
		host = c.cfg.Names[0]
	case host == "127.0.0.1", everywhere(host):
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// everywhere reports whether host is all addresses of this machine.
func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsUnspecified()
}

// CheckName says why a name is none for Config.Names.
func CheckName(name string) error {
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	}
	switch _, err := netip.ParseAddr(name); {
	case everywhere(name):
		return fmt.Errorf("%q is all addresses of this machine, and none that a client could dial", name)
	case err != nil && (name == "" || strings.ContainsFunc(name, strange)):
		return fmt.Errorf("%q is neither the name of a host nor an IP address", name)
	}
	return nil
}
