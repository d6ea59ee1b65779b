package emulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"dpsfleet/provisioning/wsnet"
)

// serveFace starts the HTTP face, if there is to be one.
func (c *Cloud) serveFace() error {
	if c.cfg.HTTPS == "" {
		return nil
	}
	listener, err := c.cfg.Listen("tcp", c.cfg.HTTPS)
	if err != nil {
		return fmt.Errorf("listening for HTTP on %s: %w", c.cfg.HTTPS, err)
	}
	c.face = listener
	if c.certificates != nil {
		// No HTTP/2: a WebSocket is an upgrade of HTTP/1.1.
		config := c.certificates.config()
		config.NextProtos = []string{"http/1.1"}
		listener = tls.NewListener(listener, config)
	}
	c.faceHTTP = &http.Server{
		Handler:           c.parts(),
		ReadHeaderTimeout: connectTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return c.ctx },
		ErrorLog:          slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	c.upgraded = make(chan *wsnet.Conn)
	c.running.Go(c.acceptUpgraded)
	c.running.Go(func() {
		if err := c.faceHTTP.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.cfg.Log.Error("the HTTP face ended", "error", err)
		}
	})
	return nil
}

// The bounds of the HTTP face, which are ours.
const (
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	faceLeaves     = time.Second
)

// closeFace waits for handlers, which end with the cloud, so that none records
// anything afterwards. A client that has connected and asked nothing is not
// waited for.
func (c *Cloud) closeFace() error {
	ctx, cancel := context.WithTimeout(context.Background(), faceLeaves)
	defer cancel()
	if c.faceHTTP.Shutdown(ctx) == nil {
		return nil
	}
	return c.faceHTTP.Close()
}

// parts tells the parts of the HTTP face apart by the first segment of the path,
// whatever its case: Node's service SDK writes enrollmentgroups in one call.
func (c *Cloud) parts() http.Handler {
	service, hubs, observed := c.serviceAPI(), c.hubAPI(), c.observed()
	devices, webSocket := c.deviceAPI(), c.webSocket()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			webSocket.ServeHTTP(w, r)
			return
		}
		limitBody(w, r)
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch strings.ToLower(first) {
		case "enrollments", "enrollmentgroups", "registrations":
			service.ServeHTTP(w, r)
		case "devices", "twins":
			hubs.ServeHTTP(w, r)
		case "emulator":
			observed.ServeHTTP(w, r)
		default:
			devices.ServeHTTP(w, r)
		}
	})
}

// limitBody gives the body of a request as long as a packet of MQTT has. The limit
// ends with the body: a direct method may wait longer for its answer, and net/http
// listens meanwhile whether the client is still there.
func limitBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	connection := http.NewResponseController(w)
	connection.SetReadDeadline(time.Now().Add(connectTimeout))
	r.Body = promptBody{r.Body, connection}
}

type promptBody struct {
	io.ReadCloser
	connection *http.ResponseController
}

func (b promptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.connection.SetReadDeadline(time.Time{})
	}
	return n, err
}
