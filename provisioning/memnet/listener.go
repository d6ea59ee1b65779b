package memnet

import (
	"net"
	"sync"
)

// maxBacklog is how many connections wait to be accepted before Dial waits, as
// with Linux's net.core.somaxconn.
const maxBacklog = 4096

type listener struct {
	network *Network
	at      endpoint
	addr    net.Addr
	backlog chan *conn
	done    chan struct{}
	once    sync.Once
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	if !l.closed() {
		select {
		case c := <-l.backlog:
			return c, nil
		case <-l.done:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
}

// Close frees the address, and closes what nobody accepted.
func (l *listener) Close() error {
	err := error(&net.OpError{Op: "close", Net: "tcp", Addr: l.addr, Err: net.ErrClosed})
	l.once.Do(func() {
		err = nil
		l.network.remove(l.at)
		close(l.done)
		l.drain()
	})
	return err
}

// Addr is the address that is listened on, with the port that was picked.
func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *listener) drain() {
	for {
		select {
		case c := <-l.backlog:
			c.Close()
		default:
			return
		}
	}
}
