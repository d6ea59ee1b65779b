package mqtt

import "time"

// callsBack is what a network connection can do that a connection can be parked on:
// see memnet. Of a socket Go has no such thing to offer.
type callsBack interface {
	OnReadable(f func()) bool
}

// CanPark reports whether Park may ever return true.
func (c *Conn) CanPark() bool {
	_, can := c.nc.(callsBack)
	return can
}

// Park is Ready for an owner that will wait for long and has nothing on its stack to
// come back to. If it returns true the connection has no owner any more: who called
// must not touch it again, and return. Once Ready would have something to say, or
// until is reached, resume is called on a goroutine of its own, which is the owner from
// there on and calls Ready. If it returns false the owner calls Ready now.
func (c *Conn) Park(until time.Time, resume func()) bool {
	nc, can := c.nc.(callsBack)
	if !can || c.begun || len(c.ahead) > 0 || len(c.owed) > 0 {
		return false
	}
	// First the deadline, then a look: see wait.
	c.readBy = time.Time{}
	c.nc.SetReadDeadline(earlier(earlier(until, c.endBy), c.patience(time.Now())))
	if c.hasWork() {
		return false
	}
	c.parked = true // before anybody else may be the owner
	return nc.OnReadable(resume)
}

// hasWork reports whether others left the owner something to do.
func (c *Conn) hasWork() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.woken || c.cause != nil || len(c.outbox) > 0
}
