// Package wsnet makes a network connection a WebSocket (RFC 6455) that is a
// net.Conn, either end of it: a stream of bytes in binary frames.
//
// It is not Gorilla's. There a read that has timed out can never be made again,
// and package mqtt wakes the owner of a connection by just that, a read deadline
// in the past. Around it would be needed a second goroutine for each connection
// and 4 KiB of buffer each way. Here a deadline ends a read between any two bytes
// and the next one goes on from there; a held connection costs no goroutine, and
// no buffer while nothing arrives. Tests run both ends against Gorilla's.
//
// Both ends live here, as they do in package mqtt, because a device and the
// emulator must not import each other. The room knows frames and nothing of what
// they carry. No extension is spoken, so nothing is ever decompressed.
package wsnet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Conn is one end of a WebSocket. One goroutine may read while another writes,
// and any may call the rest.
type Conn struct {
	nc     net.Conn
	client bool

	// What follows is the reader's. It survives a deadline in the middle of a
	// frame.
	ahead   []byte // came together with the handshake; nil nearly always
	raw     [maxHeader]byte
	have    int    // bytes of the header in raw
	left    uint64 // bytes of the payload that are to come
	at      int    // where in the mask they are
	inside  bool   // the header is whole
	more    bool   // the message goes on in another frame
	control []byte // payload of the control frame under way
	over    error

	mu   sync.Mutex
	said bool // the close frame is out; guarded by mu
}

// goodbyeTime limits the writing of a close frame or a pong, for which nobody
// has set a deadline.
const goodbyeTime = time.Second

// Read reads what the peer's binary frames carry. On the way it answers pings. A
// close frame is the end, io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.over == nil {
		n, err := c.step(p)
		if n > 0 {
			return n, nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		c.over = err
	}
	return 0, c.over
}

// step reads one header, or some of a payload. It returns data only of a binary
// frame.
func (c *Conn) step(p []byte) (int, error) {
	switch {
	case !c.inside:
		return 0, c.readHeader()
	case c.opcode().control():
		return 0, c.readControl()
	}
	n, err := c.payload(p)
	if c.left == 0 {
		c.next()
	}
	return n, err
}

// payload reads and unmasks some of the frame's payload.
func (c *Conn) payload(p []byte) (int, error) {
	if c.left == 0 {
		return 0, nil
	}
	n, err := c.take(p[:min(uint64(len(p)), c.left)])
	c.left -= uint64(n)
	if !c.client {
		c.at = mask(p[:n], c.mask(), c.at)
	}
	return n, err
}

// next makes ready for another frame.
func (c *Conn) next() {
	c.have, c.at, c.inside = 0, 0, false
	c.control = nil
}

// take reads what came with the handshake, then from the network. That the
// network ends is in order between two frames only.
func (c *Conn) take(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil
		}
		return n, nil
	}
	n, err := c.nc.Read(p)
	if n > 0 {
		return n, nil // an error with it will come again
	}
	if err == io.EOF && c.have > 0 {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// readControl reads a ping, pong or close to its end and does what it asks.
func (c *Conn) readControl() error {
	if c.control == nil {
		c.control = make([]byte, 0, c.left)
	}
	for c.left > 0 {
		n, err := c.payload(c.control[len(c.control):cap(c.control)])
		c.control = c.control[:len(c.control)+n]
		if err != nil {
			return err
		}
	}
	op, body := c.opcode(), c.control
	c.next()
	switch op {
	case opPing:
		return c.pong(body)
	case opClose:
		return c.closed(body)
	}
	return nil // a pong that nobody asked for is allowed (section 5.5.3)
}

func (c *Conn) pong(body []byte) error {
	c.nc.SetWriteDeadline(time.Now().Add(goodbyeTime))
	defer c.nc.SetWriteDeadline(time.Time{})
	return c.write(opPong, body)
}

// closed answers a close frame with its own status (section 5.5.1).
func (c *Conn) closed(body []byte) error {
	if len(body) == 1 {
		return c.violation(statusProtocol, "a close frame with half a status")
	}
	c.goodbye(body[:min(len(body), statusBytes)])
	return io.EOF
}

// violation says goodbye for a reason and returns it.
func (c *Conn) violation(status uint16, what string) error {
	c.goodbye([]byte{byte(status >> 8), byte(status)})
	return errors.New("the WebSocket peer sent " + what)
}

// goodbye writes the close frame, once, if it can be written.
func (c *Conn) goodbye(body []byte) {
	c.mu.Lock()
	said := c.said
	c.said = true
	c.mu.Unlock()
	if said {
		return
	}
	c.nc.SetWriteDeadline(time.Now().Add(goodbyeTime))
	c.write(opClose, body)
}

// Write writes p as one binary frame.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	said := c.said
	c.mu.Unlock()
	if said {
		return 0, net.ErrClosed // nothing may follow the close frame (section 5.5.1)
	}
	if err := c.write(opBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close says goodbye, without waiting for the peer's, and closes the connection.
func (c *Conn) Close() error {
	c.goodbye([]byte{statusNormal >> 8, statusNormal & 0xff})
	return c.nc.Close()
}

// NetConn is the connection underneath.
func (c *Conn) NetConn() net.Conn { return c.nc }

// LocalAddr and RemoteAddr are those of the connection underneath.
func (c *Conn) LocalAddr() net.Addr  { return c.nc.LocalAddr() }
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline are those of the connection
// underneath. A read that was ended by one may be made again.
func (c *Conn) SetDeadline(t time.Time) error      { return c.nc.SetDeadline(t) }
func (c *Conn) SetReadDeadline(t time.Time) error  { return c.nc.SetReadDeadline(t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }
