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

// ServiceConnectionString is what back ends and Microsoft's service SDKs connect
// to the service API of DPS with. It holds a key that may do everything there.
// It is empty without an HTTP face.
func (c *Cloud) ServiceConnectionString() string {
	host, port, err := net.SplitHostPort(c.HTTPSEndpoint())
	if err != nil {
		return ""
	}
	return rest.ConnectionString{Host: host, Port: port, Policy: dpsOwner, Key: c.owners[dpsOwner]}.Text()
}
