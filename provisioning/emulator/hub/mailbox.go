package hub

import (
	"slices"
	"sync"
	"time"

	"dpsfleet/provisioning/emulator/store"
	"dpsfleet/provisioning/mqtt"
)

// mailbox is what waits for a device beyond one connection: its messages, in
// order, and the direct methods that it has not answered.
type mailbox struct {
	device string
	rows   *store.Table[pending] // where a state file has the queue; nil without one

	mu      sync.Mutex // never held across I/O
	holder  *session   // the connection that may take messages
	newest  int64      // its number; an earlier one that is about to end changes nothing
	queue   []pending
	last    uint64 // number of a message
	lastID  uint16
	taker   *session      // the connection that takes methods, nil without one
	arrived chan struct{} // closed with the next taker; nil if nobody waits
	calls   map[uint64]chan MethodAnswer
	lastRID uint64
}

// box is a device's mailbox, made when it is first needed.
func (h *Hub) box(deviceID string) *mailbox {
	return h.boxes.Update(deviceID, func(b *mailbox, known bool) (*mailbox, bool) {
		if known {
			return b, true
		}
		return &mailbox{device: deviceID, rows: h.waiting, calls: map[uint64]chan MethodAnswer{}}, true
	})
}

// add reports whether there was room.
func (b *mailbox) add(p pending, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	if len(b.queue) >= maxPending {
		return false
	}
	b.last++
	p.device, p.number = b.device, b.last
	b.queue = append(b.queue, p)
	b.save(p)
	return true
}

// save is called with mu held, as drop is.
func (b *mailbox) save(p pending) {
	if b.rows != nil {
		b.rows.Put(p.row(), p)
	}
}

// drop takes messages out of the queue.
func (b *mailbox) drop(over func(pending) bool) {
	b.queue = slices.DeleteFunc(b.queue, func(p pending) bool {
		gone := over(p)
		if gone && b.rows != nil {
			b.rows.Delete(p.row())
		}
		return gone
	})
}

// empty drops all messages.
func (b *mailbox) empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(func(pending) bool { return true })
}

func (b *mailbox) size(now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	return len(b.queue)
}

// expire drops what nobody may get any more. What is on its way stays until its
// PUBACK or the end of its connection.
func (b *mailbox) expire(now time.Time) {
	b.drop(func(p pending) bool { return !p.out && !now.Before(p.expiry) })
}

// hold gives the messages to a new connection. Those on their way in an earlier
// one go out again, in their order: with their identifiers if the session was
// kept [MQTT-4.4.0-1], or else as new ones.
func (b *mailbox) hold(s *session, kept bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.number < b.newest {
		return
	}
	b.holder, b.newest = s, s.number
	b.drop(func(p pending) bool { return p.deliveries >= maxDeliveries })
	for i := range b.queue {
		p := &b.queue[i]
		p.again = kept && p.id != 0
		if !kept {
			p.id = 0
		}
		p.out = false
	}
}

// next is the next message to write, if there is one and the device may have one
// more on its way. With QoS 0 nothing comes back, so it is done with.
func (b *mailbox) next(s *session, now time.Time) (mqtt.Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	at := slices.IndexFunc(b.queue, func(p pending) bool { return !p.out })
	if b.holder != s || at < 0 || at >= maxUnacknowledged {
		return mqtt.Message{}, false
	}
	p := &b.queue[at]
	qos := s.wants.messages.qos()
	if qos == 0 {
		p.id = 0
		m, number := p.message(0), p.number
		b.drop(func(p pending) bool { return p.number == number })
		return m, true
	}
	if p.id == 0 {
		p.id = b.nextID()
	}
	p.out = true
	p.deliveries++
	b.save(*p)
	return p.message(qos), true
}

// nextID is one that no other message has, which at most 50 do.
func (b *mailbox) nextID() uint16 {
	for {
		b.lastID++
		taken := slices.ContainsFunc(b.queue, func(p pending) bool { return p.id == b.lastID })
		if b.lastID != 0 && !taken {
			return b.lastID
		}
	}
}

// done completes the message of a PUBACK.
func (b *mailbox) done(id uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(func(p pending) bool { return p.out && p.id == id })
}

// take makes s the connection that takes methods, and tells those who wait for
// one; or no longer, if it does not want them.
func (b *mailbox) take(s *session, wants bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holder != s {
		return // another connection took over
	}
	b.taker = nil
	if !wants {
		return
	}
	b.taker = s
	if b.arrived != nil {
		close(b.arrived)
		b.arrived = nil
	}
}

// release is the end of a connection.
func (b *mailbox) release(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taker == s {
		b.taker = nil
	}
	if b.holder != s {
		return
	}
	b.holder = nil
	for i := range b.queue {
		b.queue[i].out = false
	}
}
