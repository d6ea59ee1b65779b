package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxUnread is how many bytes may lie unread in one direction.
const maxUnread = 64 << 10

// stream is one direction of a connection. Its mutex is never held while
// somebody waits: changed.Wait gives it up, which a synctest bubble counts as
// durably blocked.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond // L is set by newPipe
	buf     []byte    // buf[off:] is unread; nil when all is read
	off     int

	reading, writing  alarm
	callBack          func() // of conn.OnReadable, nil without one
	readerGone, ended bool
	busy              bool // a Write is under way; others wait, so that writes do not mix
}

// alarm is a deadline. Its timer is started only when somebody waits, so that
// setting deadlines is cheap; Close stops it.
type alarm struct {
	at    time.Time
	timer *time.Timer
}

func (a *alarm) reached() bool { return !a.at.IsZero() && !time.Now().Before(a.at) }

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// set takes over the deadline with a monotonic clock reading, so that a step of
// the wall clock cannot strand whoever waits for it.
func (a *alarm) set(t time.Time) {
	a.at = t
	if !t.IsZero() {
		now := time.Now()
		a.at = now.Add(t.Sub(now))
	}
}

// tell wakes whoever waits, to look again, and calls back whoever does not.
func (s *stream) tell() {
	s.changed.Broadcast()
	if s.callBack != nil && s.readable() {
		go s.callBack()
		s.callBack = nil
	}
}

// readable reports whether read would not wait.
func (s *stream) readable() bool {
	return s.readerGone || s.ended || s.off < len(s.buf) || s.reading.reached()
}

// onReadable reports whether f will be called.
func (s *stream) onReadable(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readable() {
		return false
	}
	s.callBack = f
	s.watch(&s.reading)
	return true
}

// read looks in the order of a socket: a deadline that has passed ends it even
// where there is something to read, so that it can serve as a wake.
func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerGone:
			return 0, net.ErrClosed
		case s.reading.reached():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.off < len(s.buf):
			return s.take(p), nil
		case s.ended:
			return 0, io.EOF
		}
		s.wait(&s.reading)
	}
}

// take lets go of the buffer with the last byte, so that an idle connection has
// none.
func (s *stream) take(p []byte) int {
	n := copy(p, s.buf[s.off:])
	s.off += n
	if s.off == len(s.buf) {
		s.drop()
	}
	s.tell()
	return n
}

// drop gives the buffer back.
func (s *stream) drop() {
	if cap(s.buf) == smallBuffer {
		unread.Put((*[smallBuffer]byte)(s.buf[:smallBuffer]))
	}
	s.buf, s.off = nil, 0
}

// unread holds the buffers of streams that have something small to be read, which is
// so for a moment and all the time.
var unread = sync.Pool{New: func() any { return new([smallBuffer]byte) }}

const smallBuffer = 1 << 10 // a CONNECT with its token, an answer of DPS

// write waits for its turn, then for room. One that ends early says how much was
// handed over, as net.Conn demands.
func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.busy && s.writable() == nil {
		s.wait(&s.writing)
	}
	if err := s.writable(); err != nil {
		return 0, err
	}
	s.busy = true
	defer s.release()
	for n := 0; ; {
		n += s.put(p[n:])
		if n == len(p) {
			return n, nil
		}
		s.wait(&s.writing)
		if err := s.writable(); err != nil {
			return n, err
		}
	}
}

func (s *stream) writable() error {
	switch {
	case s.ended:
		return net.ErrClosed
	case s.writing.reached():
		return os.ErrDeadlineExceeded
	case s.readerGone:
		return syscall.EPIPE
	}
	return nil
}

func (s *stream) release() {
	s.busy = false
	s.tell()
}

// put appends as much of p as there is room for.
func (s *stream) put(p []byte) int {
	left := len(s.buf) - s.off
	p = p[:min(len(p), maxUnread-left)]
	if len(p) == 0 {
		return 0
	}
	// What was read is cut off only once it is more than what is left: moving
	// the rest at each write would cost a slow reader 64 KiB of copying a byte.
	if s.off > left {
		copy(s.buf, s.buf[s.off:])
		s.buf, s.off = s.buf[:left], 0
	}
	if s.buf == nil && len(p) <= smallBuffer {
		s.buf = unread.Get().(*[smallBuffer]byte)[:0]
	}
	s.buf = append(s.buf, p...)
	s.tell()
	return len(p)
}

// wait waits until something changed or a was reached; the caller looks again.
// Nobody stops the timer on the way out: it may by then be another reader's.
func (s *stream) wait(a *alarm) {
	s.watch(a)
	s.changed.Wait()
}

// watch starts the timer of a deadline.
func (s *stream) watch(a *alarm) {
	if a.at.IsZero() {
		return
	}
	left := time.Until(a.at)
	if a.timer != nil {
		a.timer.Reset(left)
		return
	}
	a.timer = time.AfterFunc(left, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tell()
	})
}

func (s *stream) setReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readerGone {
		return net.ErrClosed
	}
	s.reading.set(t)
	s.tell()
	if s.callBack != nil {
		s.watch(&s.reading)
	}
	return nil
}

func (s *stream) setWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return net.ErrClosed
	}
	s.writing.set(t)
	s.tell()
	return nil
}

// closeReader drops what is unread: the end that could read it is gone.
func (s *stream) closeReader() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readerGone {
		return net.ErrClosed
	}
	s.readerGone = true
	s.drop()
	s.reading.stop()
	s.tell()
	return nil
}

// closeWriter leaves what is unread: the other end may still want it.
func (s *stream) closeWriter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.writing.stop()
	s.tell()
}
