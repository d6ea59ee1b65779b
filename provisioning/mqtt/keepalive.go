package mqtt

import "time"

// patience is when the keep-alive next asks for something: of a client a
// PINGREQ, or to give up; of a server to hang up. The zero time is never.
//
// A limit that passed while nobody read is not the peer's fault: its packets may
// lie there unread. It gets the whole time again. While a connection is parked its
// network looks.
func (c *Conn) patience(now time.Time) time.Time {
	if c.keepAlive == 0 || !c.connected {
		return time.Time{}
	}
	if c.server {
		if !c.parked && reached(c.active.Add(c.silence()), now) {
			c.active = now
		}
		return c.active.Add(c.silence())
	}
	if c.pongBy.IsZero() {
		return c.active.Add(c.pause())
	}
	if !c.parked && reached(c.pongBy, now) {
		c.pongBy = now.Add(c.opt.PacketTimeout)
	}
	return c.pongBy
}

// silence is how long a server waits for a packet [MQTT-3.1.2-24].
func (c *Conn) silence() time.Duration { return c.keepAlive * 3 / 2 }

// pause is how long a client writes nothing. The keep-alive is the most that may
// pass [MQTT-3.1.2-23]; a quarter of it is for the way, and for a busy machine.
func (c *Conn) pause() time.Duration { return c.keepAlive * 3 / 4 }

// overdue does what the keep-alive asks for.
func (c *Conn) overdue() error {
	if c.server {
		err := c.end(violation("MQTT-3.1.2-24", "no packet in 1.5 times the keep-alive"))
		c.Close()
		return err
	}
	if !c.pongBy.IsZero() {
		return errNoPong
	}
	c.pongBy = time.Now().Add(c.opt.PacketTimeout)
	return c.signal(pingreqPacket)
}
