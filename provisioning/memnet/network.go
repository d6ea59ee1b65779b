// Package memnet is a network inside the process: Listen and Dial, for fleets
// that are larger than a machine's open files and for tests in synctest bubbles.
//
// It is not net.Pipe. That one has no buffer, so two ends that write at once wait
// for each other for ever, and so does TLS 1.3, whose server writes its tickets
// while the client writes its first request. Here each direction has a buffer as
// a socket has, up to 64 KiB, and one that is empty costs nothing.
//
// The room knows addresses and bytes and nothing of what they carry. It loses,
// delays and reorders nothing.
package memnet

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
)

// Network is a network of its own. The zero value is ready, and any goroutine
// may use it.
type Network struct {
	mu        sync.Mutex
	listeners map[endpoint]*listener
	lastPort  int
	dialled   uint32
}

// Listen listens on address as net.Listen does, for "tcp", "tcp4" and "tcp6".
// The host may be an IP address, localhost, nothing for all, or any name: there
// is no other DNS here. Port 0 picks a free one. An address in use is
// syscall.EADDRINUSE.
func (n *Network) Listen(network, address string) (net.Listener, error) {
	at, err := parseEndpoint(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l := &listener{network: n, backlog: make(chan *conn, maxBacklog), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if at.port == 0 {
		at.port = n.freePort(at)
	}
	if at.port == 0 || n.taken(at) {
		inUse := os.NewSyscallError("bind", syscall.EADDRINUSE)
		return nil, &net.OpError{Op: "listen", Net: network, Addr: at.addr(), Err: inUse}
	}
	if n.listeners == nil {
		n.listeners = make(map[endpoint]*listener)
	}
	l.at, l.addr = at, at.addr()
	n.listeners[at] = l
	return l, nil
}

// Dial connects to address as the DialContext of net.Dialer does. Where nobody
// listens it is syscall.ECONNREFUSED. It waits under ctx while the listener's
// backlog is full; ctx does not matter to the connection afterwards.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := parseEndpoint(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if to.host == anyHost {
		to.host = loopback
	}
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: to.addr(), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	l, serial := n.find(to)
	if l == nil {
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	client, server := newPipe(to.addr(), serial)
	select {
	case l.backlog <- server:
	default: // only who has to wait needs the context's channel
		select {
		case l.backlog <- server:
		case <-l.done:
			return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
		case <-ctx.Done():
			return fail(ctx.Err())
		}
	}
	// The listener may have been closed, and its backlog emptied, just before
	// this connection got in: nobody would ever accept or close it.
	if l.closed() {
		l.drain()
	}
	return client, nil
}

// find returns who listens on to, and a number for the connection.
func (n *Network) find(to endpoint) (*listener, uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialled++
	if l := n.listeners[to]; l != nil {
		return l, n.dialled
	}
	return n.listeners[endpoint{anyHost, to.port}], n.dialled
}

// taken reports whether somebody listens where at would. As with an OS, a
// listener on all hosts and one on a single host exclude each other.
func (n *Network) taken(at endpoint) bool {
	for other := range n.listeners {
		if other.port == at.port && (other.host == at.host || other.host == anyHost || at.host == anyHost) {
			return true
		}
	}
	return false
}

// The range that IANA leaves for ephemeral ports (RFC 6335 section 6).
const firstFreePort, lastFreePort = 49152, 65535

// freePort returns a free port, or 0. It goes round, so that an address that was
// just closed is not soon somebody else's.
func (n *Network) freePort(at endpoint) int {
	for range lastFreePort - firstFreePort + 1 {
		n.lastPort++
		if n.lastPort < firstFreePort || n.lastPort > lastFreePort {
			n.lastPort = firstFreePort
		}
		at.port = n.lastPort
		if !n.taken(at) {
			return at.port
		}
	}
	return 0
}

func (n *Network) remove(at endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.listeners, at)
}
