package emulator

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
	"dpsfleet/provisioning/wsnet"
)

// CONNACK return codes of MQTT 3.1.1 section 3.2.2.3.
const (
	unacceptableProtocol = 1
	serverUnavailable    = 3
	badUserOrPassword    = 4
	notAuthorized        = 5
)

// accept takes connections until the listener is closed.
func (c *Cloud) accept() {
	var pause time.Duration
	for {
		nc, err := c.listener.Accept()
		if c.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			closeIf(nc)
			return
		}
		if err != nil { // out of open files, as a rule: it passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			c.cfg.Log.Error("a connection could not be accepted", "error", err, "next", pause)
			c.sleep(pause)
			continue
		}
		pause = 0
		c.running.Add(1)
		go c.serve(nc)
	}
}

func closeIf(nc net.Conn) {
	if nc != nil {
		nc.Close()
	}
}

// sleep ends early with the cloud.
func (c *Cloud) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// serve is the life of one connection, counted in running. What is said after the
// CONNACK is called from here, and not from where it was decided on, so that the stack
// is shallow while a client says nothing: see mqtt.Conn.Ready.
func (c *Cloud) serve(nc net.Conn) {
	growStack()
	c.totals.connections.Add(1)
	v := &visit{cloud: c, nc: nc}
	if err := c.receive(v, nc); err != nil {
		c.farewell(v, err)
		return
	}
	v.resume()
}

// growStack makes a new goroutine's stack as large as a registration needs it, while
// there is nothing on it yet that would have to be moved: that took a twentieth of the
// cloud's CPU.
//
//go:noinline
func growStack() {
	var room [5 << 10]byte
	runtime.KeepAlive(&room)
}

// visit is a connection as the log knows it.
type visit struct {
	cloud  *Cloud
	nc     net.Conn
	client string     // its id, once it has told it
	conn   *mqtt.Conn // nil before
	talk   talk
}

// talk is what is said on a connection after the CONNACK, as hub.Serve.
type talk func(resume func()) (parked bool, err error)

// resume goes on with the talk, until the connection is parked or over.
func (v *visit) resume() {
	if parked, err := v.talk(v.resume); !parked {
		v.cloud.farewell(v, err)
	}
}

// receive goes as far as the CONNACK.
func (c *Cloud) receive(v *visit, nc net.Conn) error {
	nc, err := c.secure(nc)
	if err != nil {
		return err
	}
	v.conn = mqtt.New(c.ctx, nc, mqtt.Options{MaxPacket: maxConnect})
	hello, err := v.conn.Accept(time.Now().Add(connectTimeout))
	if err != nil {
		return err
	}
	v.client = hello.ClientID
	if hello.KeepAlive == 0 {
		if err := keepAlive(nc); err != nil {
			return fmt.Errorf("switching TCP's keep-alive on: %w", err)
		}
	}
	v.talk, err = c.route(v.conn, hello, chainOf(nc))
	return err
}

// farewell closes a connection, and logs why it is over: once, with the client's
// id if it got so far as to tell it, or else with its address. To hang up
// without DISCONNECT is a habit of many clients, and no news.
func (c *Cloud) farewell(v *visit, err error) {
	defer c.running.Done()
	if v.conn != nil {
		v.conn.Close()
	}
	if err == nil || c.ctx.Err() != nil {
		return
	}
	level := slog.LevelWarn
	if errors.Is(err, io.EOF) {
		level = slog.LevelDebug
	}
	remote := v.nc.RemoteAddr()
	c.complain(level, "connection closed", cmp.Or(v.client, hostOf(remote)), "remote", remote.String(), "reason", shown(err.Error()))
}

// secure makes the TLS handshake, if there is to be one. Its time is limited and
// it is made here, not by the first read, so that a peer that stalls in it is
// told apart from one that says nothing afterwards.
func (c *Cloud) secure(nc net.Conn) (net.Conn, error) {
	if _, upgraded := nc.(*wsnet.Conn); upgraded || c.certificates == nil {
		return nc, nil // a WebSocket was secured before it was one
	}
	ctx, cancel := context.WithTimeout(c.ctx, connectTimeout)
	defer cancel()
	secured := tls.Server(nc, c.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("the TLS handshake: %w", err)
	}
	return secured, nil
}

// route tells DPS and hubs apart by the user name: {scope}/registrations/{id}/...
// is DPS's, {hub}/{deviceId}/?... is a hub's. Not by the TLS server name, because
// a device may come through a gateway or by an IP address. Chain is what the client
// brought to the handshake, if anything.
func (c *Cloud) route(conn *mqtt.Conn, hello mqtt.Connect, chain []*x509.Certificate) (talk, error) {
	if hello.ProtocolLevel != 4 {
		return nil, refuse(conn, unacceptableProtocol, fmt.Sprintf("protocol level %d; DPS and IoT Hub speak MQTT 3.1.1, which is 4", hello.ProtocolLevel))
	}
	if user, err := provisioning.ParseDPSUser(hello.Username); err == nil {
		conn.LimitPackets(provisioning.MaxMessage + lengthAndID)
		return c.serveDPS(conn, hello, user, chain)
	}
	user, err := provisioning.ParseHubUser(hello.Username)
	if err != nil {
		return nil, refuse(conn, badUserOrPassword, "the user name is neither DPS's nor a hub's")
	}
	h, known := c.hubs[strings.ToLower(user.Host)]
	if !known {
		return nil, refuse(conn, notAuthorized, fmt.Sprintf("401001 IotHubNotFound: the user name says %q, which is not a linked hub", user.Host))
	}
	if err := c.turnAway(conn, c.fault(FaultAtHubConnect, registered(h, user.DeviceID))); err != nil {
		return nil, err
	}
	conn.LimitPackets(maxMessageAtHub + topicAndHeader)
	return c.enterHub(h, conn, func() (talk, error) {
		serve, err := h.Admit(conn, hello, user, chain...)
		return talk(serve), err
	})
}

// refuse answers a CONNECT with a code and returns why, for the log.
func refuse(conn *mqtt.Conn, code byte, reason string) error {
	return errors.Join(fmt.Errorf("CONNACK %d: %s", code, reason), conn.Connack(code))
}

const shownAtMost = 200

// shown is text from the wire as a log may have it: without control characters,
// in one line, and not endless.
func shown(text string) string {
	if len(text) > shownAtMost {
		text = text[:shownAtMost] + "..."
	}
	var b strings.Builder
	for _, r := range text {
		if ' ' <= r && r <= '~' {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}
