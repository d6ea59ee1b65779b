package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// next reads the next packet of any kind.
func (c *Conn) next(until time.Time) (packet, error) {
	if err := c.Ready(until); err != nil {
		return packet{}, err
	}
	c.begun = false
	p, err := c.packet(c.first[0])
	if err != nil {
		return packet{}, c.end(err)
	}
	if c.server {
		c.active = time.Now()
	}
	return p, nil
}

// Ready waits until a packet has begun to come, as the call that reads it would,
// and needs little stack for that. An owner that calls it from a shallow place
// lets the collector halve the stacks of connections that are idle.
func (c *Conn) Ready(until time.Time) (err error) {
	if !c.begun {
		c.first[0], err = c.wait(until)
		c.begun = err == nil
	}
	return err
}

// wait reads the first byte of a packet. Meanwhile it empties the outbox and
// keeps the connection alive.
//
// No wake is lost. Whoever wakes the owner first says why (in the outbox or as
// the cause) and then sets a deadline in the past; the owner first sets its own
// deadline, if at all, and then looks. So if the owner looked too early to see the
// reason, the deadline in the past is the later one and ends the read at once. If it
// did see it, that deadline may still come, and ends a read for nothing.
func (c *Conn) wait(until time.Time) (byte, error) {
	for {
		now := time.Now()
		if reached(c.endBy, now) {
			return 0, c.end(c.endCause)
		}
		limit := c.patience(now)
		c.parked = false
		c.limitRead(earlier(earlier(until, limit), c.endBy), now)
		if sent, err := c.flush(); err != nil {
			return 0, err
		} else if sent {
			continue // it took time, and a late wake may have spoilt the deadline
		}
		if c.roused() {
			return 0, os.ErrDeadlineExceeded
		}
		if len(c.ahead) > 0 {
			return c.firstAhead(), nil
		}
		n, err := c.bite()
		if n > 0 {
			return c.first[0], nil
		}
		c.readBy = time.Time{}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, c.end(err)
		}
		// First the keep-alive: where both have come, the owner may well call
		// again at once, and again.
		now = time.Now()
		if reached(limit, now) {
			if err := c.overdue(); err != nil {
				return 0, c.end(err)
			}
		}
		if reached(until, now) {
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// limitRead has a read end at by, or before: a deadline that is earlier stays. Most
// packets come long before either, and if not wait looks at the clock.
func (c *Conn) limitRead(by, now time.Time) {
	if now.Before(c.readBy) && (by.IsZero() || !by.Before(c.readBy)) {
		return
	}
	c.readBy = by
	c.nc.SetReadDeadline(by)
}

// bite reads the first byte of a packet, and more where that needs no buffer
// before there is something to read.
func (c *Conn) bite() (int, error) {
	if c.gulp == nil {
		return c.nc.Read(c.first[:])
	}
	data, err := c.gulp.read()
	if len(data) > 0 {
		c.ahead = data
		c.first[0] = c.firstAhead()
	}
	return len(data), err
}

func (c *Conn) firstAhead() byte {
	b := c.ahead[0]
	c.skip(1)
	return b
}

// skip lets go of the buffer with its last byte.
func (c *Conn) skip(n int) {
	c.ahead = c.ahead[n:]
	if len(c.ahead) > 0 {
		return
	}
	c.ahead = nil
	if c.gulp != nil {
		c.gulp.giveBack()
	}
}

// earlier returns the earlier of two deadlines, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func reached(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// scratch holds the buffers that packets are read into.
var scratch = sync.Pool{New: func() any { return new(make([]byte, 0, scratchSize)) }}

const scratchSize = 4 << 10

// packet reads what follows the first byte of a packet and takes it apart. What it
// returns is a copy.
func (c *Conn) packet(first byte) (packet, error) {
	if clause, what := flagsFlaw(PacketKind(first>>4), first&flagBits); clause != "" {
		return packet{}, violation(clause, what) // whatever would follow
	}
	start, end, err := frame(c.ahead, c.opt.MaxPacket)
	if err != nil {
		return packet{}, err
	}
	if end > 0 && end <= len(c.ahead) {
		p, err := decode(first, c.ahead[start:end])
		c.skip(end)
		return p, err
	}
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	data := append((*buf)[:0], c.ahead...)
	c.skip(len(c.ahead))
	if data, start, end, err = c.fill(data); err != nil {
		return packet{}, err
	}
	if len(data) > end {
		c.ahead = bytes.Clone(data[end:])
	}
	return decode(first, data[start:end])
}

// frame finds the body of a packet in data, which starts at the remaining
// length. end is 0 until the remaining length has come.
func frame(data []byte, limit int) (start, end int, err error) {
	const most = 4 // MQTT 3.1.1 section 2.2.3
	length := 0
	for i, b := range data {
		if i == most {
			break
		}
		length |= int(b&0x7f) << (7 * i)
		if b&0x80 != 0 {
			continue
		}
		if length > limit {
			return 0, 0, fmt.Errorf("%w: its remaining length is %d bytes, the limit %d", ErrTooLarge, length, limit)
		}
		return i + 1, i + 1 + length, nil
	}
	if len(data) >= most {
		return 0, 0, violation("MQTT 2.2.3", "a remaining length of more than four bytes")
	}
	return 0, 0, nil
}

// fill reads until data holds a whole packet. The buffer grows with what has
// come, never with what was announced.
func (c *Conn) fill(data []byte) (_ []byte, start, end int, err error) {
	by := earlier(time.Now().Add(c.opt.PacketTimeout), c.endBy)
	for {
		start, end, err = frame(data, c.opt.MaxPacket)
		if err != nil || end > 0 && end <= len(data) {
			return data, start, end, err
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
		n, err := c.readOn(data[len(data):cap(data)], by)
		if err != nil {
			return nil, 0, 0, err
		}
		data = data[:len(data)+n]
	}
}

// readOn reads at least one byte by an instant. A wake that was meant for wait
// may end a read early; it reads on, and leaves the outbox for later.
func (c *Conn) readOn(p []byte, by time.Time) (int, error) {
	c.readBy = time.Time{}
	for {
		c.nc.SetReadDeadline(by)
		if err := c.over(); err != nil {
			return 0, err
		}
		n, err := c.nc.Read(p)
		switch {
		case n > 0:
			return n, nil
		case err == io.EOF:
			return 0, io.ErrUnexpectedEOF
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, err
		case reached(by, time.Now()):
			return 0, c.stalled()
		}
	}
}

// stalled is what a peer did that took too long over a packet.
func (c *Conn) stalled() error {
	if reached(c.endBy, time.Now()) {
		return c.endCause
	}
	return errStalled
}
