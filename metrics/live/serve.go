package live

import (
	"embed"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// policy lets the page have its own files and nothing else, and nobody frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page, its files, and /events.
func (p *Page) Handler() http.Handler {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		files = assets // the name above is no other
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /events", p.events)
	return p.guard(mux)
}

// guard refuses who asks for another host: a name that is made to lead here is how a
// page from elsewhere would read this one (DNS rebinding).
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.answersTo(r.Host) {
			http.Error(w, "this page answers to the address that it was asked to listen on, and to localhost", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // another program may have the port tomorrow
		next.ServeHTTP(w, r)
	})
}

// answersTo reports whether a Host header names this page: by a name of loopback, or
// as it was asked for. Where that was every address of the machine, any address does,
// since none can be made to lead elsewhere; a name can.
func (p *Page) answersTo(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.EqualFold(host, p.options.Host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	asked, err := netip.ParseAddr(p.options.Host)
	everywhere := p.options.Host == "" || err == nil && asked.IsUnspecified()
	return address.IsLoopback() || everywhere
}

// events sends snapshots as they come (server-sent events, in HTML's standard
// section 9.2), and a comment where none does.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		http.Error(w, "this is for the page's own script", http.StatusForbidden)
		return
	}
	control := http.NewResponseController(w)
	c := p.join(func(by time.Time) { _ = control.SetWriteDeadline(by) })
	if c == nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "as many browsers as may look at this run do so already", http.StatusServiceUnavailable)
		return
	}
	defer p.leave(c)
	w.Header().Set("Content-Type", "text/event-stream")
	s := &stream{w: w, control: control}
	s.send("retry: 2000\n\n")
	idle := time.NewTicker(idleTime)
	defer idle.Stop()
	for s.err == nil {
		select {
		case snapshot := <-c.next:
			s.send("data: " + string(snapshot) + "\n\n")
			idle.Reset(idleTime)
		case <-idle.C:
			s.send(": still here\n\n")
		case <-r.Context().Done():
			return
		case <-p.closed:
			s.finish(c)
			return
		}
	}
}

// stream is what is sent to one browser, until the first write that fails.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (s *stream) send(text string) {
	if s.err = s.control.SetWriteDeadline(time.Now().Add(writeTime)); s.err != nil {
		return
	}
	s.write(text)
}

func (s *stream) write(text string) {
	if _, s.err = s.w.Write([]byte(text)); s.err == nil {
		s.err = s.control.Flush()
	}
}

// finish sends what is left and says that no more comes.
func (s *stream) finish(c *client) {
	select {
	case snapshot := <-c.next:
		s.write("data: " + string(snapshot) + "\n\n")
	default:
	}
	if s.err == nil {
		s.write("event: over\ndata: {}\n\n")
	}
}
