package memnet

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// endpoint is where somebody listens.
type endpoint struct {
	host string // an IP address, a name in lower case, or anyHost
	port int
}

const (
	anyHost  = ""
	loopback = "127.0.0.1"
)

func parseEndpoint(network, address string) (endpoint, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return endpoint{}, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return endpoint{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return endpoint{}, &net.AddrError{Err: "the port is not a number up to 65535", Addr: address}
	}
	return endpoint{canonicalHost(host), int(port)}, nil
}

func canonicalHost(host string) string {
	host = strings.ToLower(host)
	if host == "localhost" {
		return loopback
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip.IsUnspecified() {
		return anyHost
	}
	return ip.Unmap().String()
}

// addr is a *net.TCPAddr wherever the host allows it: there is code that asserts
// that type to learn a port.
func (e endpoint) addr() net.Addr {
	if e.host == anyHost {
		return &net.TCPAddr{IP: net.IPv6unspecified, Port: e.port}
	}
	ip, err := netip.ParseAddr(e.host)
	if err != nil {
		return nameAddr(net.JoinHostPort(e.host, strconv.Itoa(e.port)))
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(e.port)))
}

// nameAddr is an address whose host is a name.
type nameAddr string

func (nameAddr) Network() string  { return "tcp" }
func (a nameAddr) String() string { return string(a) }

// client is the n-th client, as an address that is made when it is read.
type client uint32

func (c *client) Network() string { return "tcp" }
func (c *client) String() string  { return c.addr().String() }

// addr is where a client is. 200,000 clients of one server do not fit into the ports
// of one IP address, so they spread over 127/8.
func (c *client) addr() *net.TCPAddr {
	const firstPort, ports = 1024, 65536 - 1024
	n := uint32(*c)
	ip := make(net.IP, net.IPv4len)
	binary.BigEndian.PutUint32(ip, 127<<24|(1+n/ports)&0xffffff)
	return &net.TCPAddr{IP: ip, Port: int(firstPort + n%ports)}
}
