package emulator

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"
)

const (
	quietFor      = time.Minute // between two lines about one client and one matter
	maxComplaints = 1024        // clients that are kept apart; the rest share an entry
)

// complaints keep a client that is refused again and again from flooding the
// log: what happens within a minute of a line is counted, and the next line has
// the number.
type complaints struct {
	mu   sync.Mutex
	last map[complaint]heldBack
}

type complaint struct{ about, client string }

type heldBack struct {
	since time.Time
	count int
}

// complain logs about a client, or counts. A client that did not come so far as
// to tell its id is known by the address that it came from.
func (c *Cloud) complain(level slog.Level, about, client string, args ...any) {
	ctx := context.Background()
	if !c.cfg.Log.Enabled(ctx, level) {
		return
	}
	more, due := c.complaints.due(complaint{about, shown(client)}, time.Now())
	if !due {
		return
	}
	if more > 0 {
		args = append(args, "more since the last line", more)
	}
	c.cfg.Log.Log(ctx, level, about, append([]any{"client", shown(client)}, args...)...)
}

// due reports whether a line is to be written, and how many were not since the
// last one.
func (k *complaints) due(what complaint, now time.Time) (more int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	held, known := k.last[what]
	if !known && len(k.last) >= maxComplaints {
		maps.DeleteFunc(k.last, func(_ complaint, h heldBack) bool { return now.Sub(h.since) >= quietFor })
	}
	if !known && len(k.last) >= maxComplaints {
		what.client = ""
		held, known = k.last[what]
	}
	if known && now.Sub(held.since) < quietFor {
		held.count++
		k.last[what] = held
		return 0, false
	}
	if k.last == nil {
		k.last = make(map[complaint]heldBack)
	}
	k.last[what] = heldBack{since: now}
	return held.count, true
}

// hostOf is the address of a peer without its port, which changes.
func hostOf(address net.Addr) string {
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	return host
}
