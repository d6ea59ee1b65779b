package scenarios

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"

	"dpsfleet/device"
	"dpsfleet/fleet"
)

// paths are the pairs of an address of this machine and one of the target's that
// connections are spread over. Each has local ports of its own.
type paths struct {
	sources   []netip.Addr // none is whichever the system takes
	endpoints []string     // none is the target's one
}

func (s Scenario) paths() paths {
	p := paths{sources: s.sourceAddresses()}
	if s.Target != nil {
		p.endpoints = s.Target.Endpoints
	}
	return p
}

func (p paths) count() int { return max(1, len(p.sources)) * max(1, len(p.endpoints)) }

// at is the path of the n-th of those that are spread: the sources take turns first.
// What is not declared is empty.
func (p paths) at(n int) (source netip.Addr, endpoint string) {
	if k := len(p.sources); k > 0 {
		source, n = p.sources[n%k], n/k
	}
	if k := len(p.endpoints); k > 0 {
		endpoint = p.endpoints[n%k]
	}
	return source, endpoint
}

// dialFunc opens connections; nil is the operating system's network.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// from is a dialFunc that binds to source; to an empty one, none is bound.
func from(source netip.Addr, otherwise dialFunc) dialFunc {
	if !source.IsValid() {
		return otherwise
	}
	dialer := device.Dialer()
	dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	return dialer.DialContext
}

// spread makes a target for each path.
func (r *run) spread() {
	p := r.paths()
	r.targets = make([]device.Target, p.count())
	for i := range r.targets {
		source, endpoint := p.at(i)
		t := r.target
		t.Dial = from(source, t.Dial)
		if endpoint != "" {
			t.Endpoint = endpoint
			t.Gateway = r.Scenario.Target.gatewayAt(endpoint)
		}
		r.targets[i] = t
	}
}

// targetOf is the target of a device: by its number, so that it keeps to it through
// all of its boots. A shard, which has every so many-th device, uses all paths too.
func (r *run) targetOf(a fleet.Arrival) *device.Target {
	n := r.number(a).N / max(1, r.env.Shards)
	return &r.targets[n%len(r.targets)]
}

// gatewayAt is where hub connections go of a device that asks DPS at endpoint: the
// target's gateway, or that endpoint itself where it is this machine's.
func (t *Target) gatewayAt(endpoint string) string {
	if host, _, _ := net.SplitHostPort(endpoint); t.Gateway == "" && Loopback(host) {
		return endpoint
	}
	return t.Gateway
}

// callDial spreads the connections to a webhook, one after the other, over the paths.
func (r *run) callDial() dialFunc {
	p := r.paths()
	if p.count() == 1 && len(p.sources)+len(p.endpoints) == 0 {
		return r.env.Dial
	}
	plain := dialFunc(r.env.Dial)
	if plain == nil {
		plain = new(net.Dialer).DialContext
	}
	var made atomic.Int64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		source, endpoint := p.at(int(made.Add(1) - 1))
		if endpoint != "" {
			address = endpoint
		}
		return from(source, plain)(ctx, network, address)
	}
}
