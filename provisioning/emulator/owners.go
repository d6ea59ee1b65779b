package emulator

import (
	"net"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/rest"
)

// The shared access policies that Azure makes with every DPS and every hub, and
// whose keys may do everything there.
const (
	dpsOwner = "provisioningserviceowner"
	hubOwner = "iothubowner"
)

// ownerKey gives the key of one policy to rest.Authorize, and of no other: what
// may change DPS may not change its hubs.
func (c *Cloud) ownerKey(policy string) func(name string) (provisioning.Key, bool) {
	return func(name string) (provisioning.Key, bool) {
		key, known := c.owners[policy]
		return key, known && name == policy
	}
}

// faceHosts are what the HTTP face is called: the names in the certificates, the
// hubs' and the address it listens on. [rest.Guard] takes them.
func (c *Cloud) faceHosts() []string {
	hosts := append(dpsNames(), c.cfg.LinkedHubs...)
	if host, _, err := net.SplitHostPort(c.cfg.HTTPS); err == nil {
		hosts = append(hosts, host)
	}
	return hosts
}

// dpsNames are what DPS is called.
func dpsNames() []string {
	return []string{"global.azure-devices-provisioning.net", "*.azure-devices-provisioning.net", "localhost", "127.0.0.1", "::1"}
}

// ServiceConnectionString is what back ends and Microsoft's service SDKs connect
// to the service API of DPS with. It holds a key that may do everything there.
// It is empty without an HTTP face.
func (c *Cloud) ServiceConnectionString() string {
	host, port, err := net.SplitHostPort(c.HTTPSAddr())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return rest.ConnectionString{Host: host, Port: port, Policy: dpsOwner, Key: c.owners[dpsOwner]}.Text()
}
