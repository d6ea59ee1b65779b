package live

import (
	"sync"
	"sync/atomic"
	"time"
)

// Options are how a page is served. The zero value is for loopback.
type Options struct {
	// Host is the name or address that was asked for beside loopback's, under which
	// a browser may ask for the page.
	Host string
	// Clients is how many browsers may look at once; 0 is 16.
	Clients int
}

// Page is a run's page. Fold feeds it, Handler serves it.
type Page struct {
	options Options
	closed  chan struct{}
	// watched is how many browsers look; the fold asks at each tick.
	watched atomic.Int32

	mu      sync.Mutex // held for no I/O
	latest  []byte
	clients map[*client]struct{}
}

const (
	defaultClients = 16

	// A browser that does not take what it is sent within writeTime is dropped; when
	// the page closes it has closeTime.
	writeTime = 5 * time.Second
	closeTime = time.Second
	// A proxy or a browser that hears nothing believes that nobody is there.
	idleTime = 15 * time.Second
)

// New is a page of a run that is still to come.
func New(options Options) *Page {
	if options.Clients == 0 {
		options.Clients = defaultClients
	}
	return &Page{options: options, closed: make(chan struct{}), clients: make(map[*client]struct{})}
}

// Close sends every browser away, after the latest snapshot. Call it once, before
// the server that serves Handler is stopped.
func (p *Page) Close() {
	close(p.closed)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.clients {
		c.hurry(time.Now().Add(closeTime))
	}
}

// publish gives every browser a snapshot. One that has not taken the last one yet
// gets this one instead.
func (p *Page) publish(snapshot []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = snapshot
	for c := range p.clients {
		c.offer(snapshot)
	}
}

// client is a browser that looks.
type client struct {
	next  chan []byte // a place for one
	hurry func(time.Time)
}

func (c *client) offer(snapshot []byte) {
	select {
	case <-c.next:
	default:
	}
	c.next <- snapshot // under the page's lock nobody else fills the place
}

// join adds a browser, which gets the latest snapshot at once; nil if there are as
// many as may be.
func (p *Page) join(hurry func(time.Time)) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.clients) >= p.options.Clients {
		return nil
	}
	c := &client{next: make(chan []byte, 1), hurry: hurry}
	if p.latest != nil {
		c.next <- p.latest
	}
	p.clients[c] = struct{}{}
	p.watched.Store(int32(len(p.clients)))
	return c
}

func (p *Page) leave(c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clients, c)
	p.watched.Store(int32(len(p.clients)))
}
