package memnet

import (
	"errors"
	"io"
	"net"
	"time"
)

// conn is one end of a connection.
type conn struct {
	in, out *stream
	server  net.Addr
	client  client
	dialler bool
}

// newPipe makes both ends of a connection in one allocation, as there may be
// hundreds of thousands.
func newPipe(server net.Addr, serial uint32) (dialled, accepted *conn) {
	p := new(struct {
		ends     [2]conn
		up, down stream
	})
	p.up.changed.L, p.down.changed.L = &p.up.mu, &p.down.mu
	p.ends[0] = conn{in: &p.down, out: &p.up, server: server, client: client(serial), dialler: true}
	p.ends[1] = conn{in: &p.up, out: &p.down, server: server, client: client(serial)}
	return &p.ends[0], &p.ends[1]
}

// Read reads what the other end wrote. After the other end closed it reads what
// is left, then io.EOF.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.explain("read", err)
}

// OnReadable has f called, once and on a goroutine of its own, as soon as a Read
// would not wait: there is something to read, the other end is closed, or this one,
// or the deadline is reached. It returns false, and f is not called, if that is so
// already. A second call takes the place of the first. Whoever reads for 100,000
// connections needs no 100,000 goroutines so.
func (c *conn) OnReadable(f func()) bool { return c.in.onReadable(f) }

// Write hands over all of p, and waits while 64 KiB lie unread.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.explain("write", err)
}

// Close wakes whoever reads or writes at either end.
func (c *conn) Close() error {
	// The reading side first: it says whether this is the first Close. Once the
	// peer sees the end of the stream, another may come.
	err := c.in.closeReader()
	c.out.closeWriter()
	return c.explain("close", err)
}

// LocalAddr is a *net.TCPAddr wherever the host is an IP address.
func (c *conn) LocalAddr() net.Addr { return c.address(c.dialler) }

// RemoteAddr is a *net.TCPAddr wherever the host is an IP address.
func (c *conn) RemoteAddr() net.Addr { return c.address(!c.dialler) }

// address is made when it is asked for, so that a connection need not keep it.
func (c *conn) address(ofClient bool) net.Addr {
	if ofClient {
		return c.client.addr()
	}
	return c.server
}

// SetDeadline limits reads and writes, those that wait already too.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline limits reads, one that waits already too.
func (c *conn) SetReadDeadline(t time.Time) error {
	return c.explain("set", c.in.setReadDeadline(t))
}

// SetWriteDeadline limits writes, one that waits already too.
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.explain("set", c.out.setWriteDeadline(t))
}

// explain words an error as the net package does. io.EOF stays bare: callers
// compare it. The client's address is made when the error is read, as most are
// deadlines that nobody reads.
func (c *conn) explain(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	source, addr := net.Addr(&c.client), c.server
	if !c.dialler {
		source, addr = addr, source
	}
	return &net.OpError{Op: op, Net: "tcp", Source: source, Addr: addr, Err: err}
}
