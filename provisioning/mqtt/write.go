package mqtt

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// The outbox holds enough for a hub's 50 pending messages, and no more than a
// few of the largest.
const (
	maxOutbox      = 64
	maxOutboxBytes = 1 << 20
)

// Send hands m to the owner, who writes it before it next waits, and wakes it. Any
// goroutine may call it. The payload must not be changed afterwards. It fails
// with ErrOutboxFull, or with the reason why the connection is over; that m was
// written, no answer says.
func (c *Conn) Send(m Message) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("sending a message: %w", err)
	}
	if err := c.enqueue(m); err != nil {
		return fmt.Errorf("sending a message: %w", err)
	}
	// Only after the message is there: see wait.
	c.nc.SetReadDeadline(longAgo())
	return nil
}

func (c *Conn) enqueue(m Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	size := len(m.Topic) + len(m.Payload)
	for _, waiting := range c.outbox {
		size += len(waiting.Topic) + len(waiting.Payload)
	}
	if len(c.outbox) == maxOutbox || size > maxOutboxBytes {
		return ErrOutboxFull
	}
	c.outbox = append(c.outbox, m)
	return nil
}

// flush writes what is in the outbox and the acknowledgements that are owed, and
// reports whether there was anything.
func (c *Conn) flush() (bool, error) {
	c.mu.Lock()
	out, err := c.outbox, c.cause
	c.outbox = nil
	c.mu.Unlock()
	if err != nil {
		return false, err
	}
	for _, m := range out {
		if _, err := c.publish(m); err != nil {
			return false, err
		}
	}
	if len(c.owed) > 0 {
		return true, c.Acknowledge()
	}
	return len(out) > 0, nil
}

// Write writes m and does not wait for the PUBACK of a QoS 1 message, which it
// gives a packet identifier. It is the owner's; others call Send.
func (c *Conn) Write(m Message) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("writing a message: %w", err)
	}
	_, err := c.publish(m)
	return err
}

// publish writes a message that was checked and returns its identifier, 0 for
// QoS 0.
func (c *Conn) publish(m Message) (uint16, error) {
	switch {
	case m.QoS == 0:
		m.ID = 0
	case m.ID == 0:
		m.ID = c.nextID()
	}
	return m.ID, c.write(PublishPacket, func(b []byte) []byte { return appendPublish(b, m) })
}

// nextID goes round, so an identifier is used again only after 65,534 others,
// long after its PUBACK [MQTT-2.3.1-2]. It is never 0 [MQTT-2.3.1-1].
func (c *Conn) nextID() uint16 {
	c.lastID++
	if c.lastID == 0 {
		c.lastID = 1
	}
	return c.lastID
}

// signal writes a packet that has nothing but its kind.
func (c *Conn) signal(kind PacketKind) error {
	return c.write(kind, func(b []byte) []byte { return appendHeader(b, kind, 0, 0) })
}

// write writes what add appends: one packet, behind the acknowledgements that are
// owed, all in one Write, which makes them one TLS record. The order is that of wait:
// first the deadline, then a look, so that a Kick in between is not lost.
func (c *Conn) write(kind PacketKind, add func([]byte) []byte) error {
	now := time.Now()
	if reached(c.endBy, now) {
		return c.end(c.endCause)
	}
	c.limitWrite(now)
	if err := c.over(); err != nil {
		return err
	}
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	b := add(append((*buf)[:0], c.owed...))
	c.owed = nil
	_, err := c.nc.Write(b)
	if c.layered {
		// TLS 1.3 may have to answer a KeyUpdate in the middle of a Read, much later:
		// a deadline that has passed by then would end the connection.
		c.nc.SetWriteDeadline(time.Time{})
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = c.stalled()
	}
	if err != nil {
		return c.end(fmt.Errorf("writing %s: %w", kind, err))
	}
	if !c.server {
		c.active = now
	}
	return nil
}

// limitWrite gives a packet at least half of Options.PacketTimeout: most are written at
// once, and to move the deadline with each took a fiftieth of a boot.
func (c *Conn) limitWrite(now time.Time) {
	if !c.layered && c.writeBy.Sub(now) > c.opt.PacketTimeout/2 {
		return
	}
	c.writeBy = earlier(now.Add(c.opt.PacketTimeout), c.endBy)
	c.nc.SetWriteDeadline(c.writeBy)
}

// puback owes the peer a PUBACK (MQTT 3.1.1 section 3.4). It goes out with the next
// packet, as there nearly always is one at once, or else before the owner waits: one
// Write, one record and one wake of the peer less.
func (c *Conn) puback(id uint16) error {
	c.owed = appendAck(c.owed, PubackPacket, id)
	return c.over()
}

// Acknowledge writes the acknowledgements that wait for a packet to go with. It is
// for an owner that will not call again soon; the others need not care.
func (c *Conn) Acknowledge() error {
	if len(c.owed) == 0 {
		return nil
	}
	return c.write(PubackPacket, func(owed []byte) []byte { return owed })
}
