// Package mqtt is one MQTT 3.1.1 connection, either end of it.
//
// One goroutine owns a connection: it reads, and it writes what it has to say.
// Anybody else hands over a message with Send, which puts it into the outbox and
// wakes the owner by a read deadline in the past. So a held connection costs one
// goroutine and, while nothing arrives, no buffer; on a network that calls back, Park
// spares the goroutine as well.
//
// A call that waits takes an instant, until, at which it gives up with
// os.ErrDeadlineExceeded; the zero time is no limit, and the connection is as
// good as before. A packet that has begun is read and written to its end, for at
// most Options.PacketTimeout, whatever until says. Every other error ends the
// connection: each later call returns it again, and Close remains to be called.
//
// Packets are put together and taken apart here, and what is read is held against
// the statements of MQTT 3.1.1 ("[MQTT-3.1.0-2]"). Eclipse Paho's codec pads what is
// cut short, allocates whatever length the peer names, and took 4 % of a boot's CPU
// and a quarter of its bytes; it is what the fuzz tests hold ours against.
//
// The room knows MQTT and nothing of Azure: no topic, no credential, no meaning
// of a code.
package mqtt

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Message is an application message.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // 0 or 1
	Retain  bool
	Dup     bool
	// ID is the packet identifier of a received QoS 1 message. One that is
	// written goes out under it; with 0 the connection chooses. A server that
	// sends a message again must give it the same [MQTT-4.4.0-1].
	ID uint16
}

// Connect is what a client says first.
type Connect struct {
	ClientID     string
	Username     string
	Password     []byte // nil: no password flag
	CleanSession bool
	KeepAlive    time.Duration // whole seconds; 0 switches it off
	Will         *Message      // the one message that may come with QoS 2
	// ProtocolLevel is 4 in MQTT 3.1.1. Only a server reads it.
	ProtocolLevel byte
}

// Options of a connection; the zero value is usable.
type Options struct {
	// MaxPacket is the largest remaining length that is read, in bytes; 0 is
	// 256 KiB. A longer packet is an error before any of it is read.
	MaxPacket int
	// PacketTimeout limits the reading of one packet once its first byte has
	// come, the writing of one, which may have only half of it, and the wait for a
	// PINGRESP; 0 is 30 s.
	PacketTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.MaxPacket <= 0 {
		o.MaxPacket = 256 << 10
	}
	if o.PacketTimeout <= 0 {
		o.PacketTimeout = 30 * time.Second
	}
	return o
}

// Conn is one end of a connection. Only its owner may call it, but for Send,
// Wake, Kick and Close.
type Conn struct {
	nc     net.Conn
	opt    Options
	forget func() bool // ends the watch over the context

	// What follows is the owner's.

	layered   bool // over another connection, as TLS is
	server    bool
	connected bool      // CONNECT has come, or CONNACK
	parked    bool      // the network looks after it since Park, till Ready
	begun     bool      // first is of a packet that is still to be read
	first     [1]byte   // here waiting reads to, so that it allocates nothing
	lastID    uint16    // of a packet of ours
	ahead     []byte    // read beyond first, or the end of a packet; nil nearly always
	gulp      *gulp     // what a bare TCP connection is read with; nil for others
	owed      []byte    // acknowledgements: they go with the next packet
	kept      []Message // arrived while the owner waited for something else
	keepAlive time.Duration
	active    time.Time // client: last wrote; server: last heard
	pongBy    time.Time // set while a PINGREQ is unanswered
	readBy    time.Time // the read deadline, where nobody else may have moved it; or zero
	writeBy   time.Time // the write deadline
	endBy     time.Time // when the connection is over, with endCause; or zero
	endCause  error

	mu     sync.Mutex // guards what follows; never held across I/O
	woken  bool       // by Wake, and nobody has heard it yet
	closed bool
	outbox []Message
	cause  error // why the connection is over
}

// New takes over nc. The end of ctx ends the connection: a call that waits and
// every later one returns context.Cause(ctx).
func New(ctx context.Context, nc net.Conn, opt Options) *Conn {
	_, layered := nc.(interface{ NetConn() net.Conn })
	c := &Conn{nc: nc, opt: opt.withDefaults(), gulp: newGulp(nc), layered: layered}
	c.forget = context.AfterFunc(ctx, func() { c.Kick(context.Cause(ctx)) })
	return c
}

// EndBy has the connection end at an instant, as its context would end it, with cause;
// the zero time takes that back. It costs neither a timer nor a context. It is the
// owner's, who notices only in a call.
func (c *Conn) EndBy(at time.Time, cause error) {
	c.endBy, c.endCause = at, cause
	c.readBy, c.writeBy = time.Time{}, time.Time{}
}

// Kick ends the connection from any goroutine: the owner's call that waits, and
// every later one, returns cause, unless it was over before. The network
// connection stays open until Close.
func (c *Conn) Kick(cause error) {
	c.end(cause)
	// Only after the cause is there: see wait.
	c.nc.SetDeadline(longAgo())
}

// Wake makes the owner's call that waits, or its next one, give up before its
// time, with os.ErrDeadlineExceeded. Any goroutine may call it that has left the
// owner something to do.
func (c *Conn) Wake() {
	c.mu.Lock()
	c.woken = true
	c.mu.Unlock()
	// Only after it is there: see wait.
	c.nc.SetReadDeadline(longAgo())
}

// roused reports whether there was a Wake, once.
func (c *Conn) roused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.woken
	c.woken = false
	return was
}

// Close ends the connection from any goroutine and closes the network
// connection. Calls that wait return net.ErrClosed. Closing again does nothing.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.outbox = nil
	c.mu.Unlock()
	if again {
		return nil
	}
	c.forget() // nobody writes it any more
	return c.nc.Close()
}

// end makes err the reason why the connection is over, unless there is one, and
// returns the one that holds.
func (c *Conn) end(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = err
	}
	return c.cause
}

// over returns why the connection is over, nil while it is not.
func (c *Conn) over() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// longAgo is a deadline that has passed in any clock, a synctest bubble's too.
func longAgo() time.Time { return time.Unix(1, 0) }

var (
	// ErrOutboxFull is what Send returns while the peer does not take what was
	// sent before.
	ErrOutboxFull = errors.New("the outbox is full")
	// ErrTooLarge ends a connection whose peer sent a packet larger than
	// Options.MaxPacket.
	ErrTooLarge = errors.New("the packet is larger than is read here")

	errStalled = errors.New("the peer stalled in the middle of a packet")
	errNoPong  = errors.New("no PINGRESP came")
	errTooMany = errors.New("too many messages came in the meantime")
)
