package device

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// life is one boot as it happens.
type life struct {
	Device
	target *Target
	limits Limits
	record func(Event)

	stage Stage
	since time.Time // when the stage was entered; due while Off
	polls int
	sent  json.RawMessage // the payload, once it was
	// refusals counts the servers in a row that would not talk, backoffs the
	// pauses since the last progress.
	refusals, backoffs int
	requests           int   // for $rid
	known              *home // nil if the device does not know
	ask                bool  // DPS where it belongs
	twin               desiredTwin
	resumed            bool // the handshake in this stage took up a session

	timeUp  time.Time // when the boot's time is over; zero while there is no limit
	reached bool      // until was reached once; what follows is not the boot's
	leave   time.Time // when the device leaves of its own accord; zero is never
}

// Why a boot ends before its time, or with it.
var (
	errBootTime = errors.New("the boot's time is over")
	errPowerCut = errors.New("the power was cut") // the cause of the end of its context
)

// Run boots d against target, and tells record all that happens, from leaving
// Off to the end. It returns when the device has left. due is when the boot was
// to start: what has passed since then is its lateness. At the end of ctx the
// device may still say goodbye, unlike at PowerCut.
//
// What is returned is what the device keeps for its next boot, as Cached: where it
// belongs; nil if it does not know.
func (d *Device) Run(ctx context.Context, target *Target, due time.Time, record func(Event)) *Assignment {
	if !d.PowerCut.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, d.PowerCut, errPowerCut)
		defer stop()
	}
	l := &life{Device: *d, target: target, limits: target.Limits.withDefaults(), record: record, since: due}
	return l.run(ctx)
}

// by is when something is overdue that has a limit of its own, and no longer than the
// boot: an instant, as a context and its timer for each boot were 2 % of its CPU.
func (l *life) by(limit time.Duration) time.Time {
	by := time.Now().Add(limit)
	if !l.timeUp.IsZero() && l.timeUp.Before(by) {
		return l.timeUp
	}
	return by
}

// enter moves to a stage and tells so; entering the present one is nothing. The
// event that it makes is kept out of the frames of those who wait, as an idle
// device's stack is most of what it takes.
//
//go:noinline
func (l *life) enter(to Stage, failure *Failure) {
	if to == l.stage {
		return
	}
	l.tell(Event{To: to}, failure)
}

// tell sends an event, filling in what every event has.
func (l *life) tell(e Event, failure *Failure) {
	now := time.Now()
	e.Device, e.Fleet, e.Model, e.Boot = l.ID, l.Fleet, l.kind.Name, l.Boot
	e.From, e.At, e.In = l.stage, now, now.Sub(l.since)
	if failure != nil {
		e.Err = failure
	}
	switch l.stage {
	case Registering:
		e.Sent = l.sent
	case Assigning:
		e.Polls = l.polls
	}
	e.Resumed = l.resumed
	l.stage, l.since, l.resumed = e.To, now, false
	l.record(e)
}

// pause waits after a failure that may pass, or gives up: it returns false with
// the failure that ends the boot.
func (l *life) pause(ctx context.Context, failure *Failure, again retry) (*Failure, bool) {
	if end := l.ended(ctx); end != nil {
		return end, false
	}
	if !again.allowed {
		return failure, false
	}
	if again.refused {
		if l.refusals++; l.refusals >= l.limits.Attempts {
			return failure, false
		}
	}
	wait := l.wait(again)
	l.enter(Waiting, failure)
	timer := time.NewTimer(time.Until(l.by(wait)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	end := l.ended(ctx)
	return end, end == nil
}

// progress forgets earlier refusals.
func (l *life) progress() { l.refusals, l.backoffs = 0, 0 }

// requestID is a new $rid: a counter in decimal, as the C SDK's.
func (l *life) requestID() string {
	l.requests++
	return strconv.Itoa(l.requests)
}

// dial opens a connection and, where the target has them, makes it a secure one
// and a WebSocket, which counts as a part of securing it.
func (l *life) dial(ctx context.Context, address, serverName string) (net.Conn, error) {
	nc, err := l.dialTCP(ctx, address)
	if err != nil {
		return nil, err
	}
	if l.target.TLS != nil {
		if l.stage == Dialing {
			l.enter(Securing, nil)
		}
		if nc, err = l.secure(ctx, nc, serverName); err != nil {
			return nil, err
		}
	}
	if l.target.WebSocket {
		return l.upgrade(ctx, nc, address, serverName)
	}
	return nc, nil
}

func (l *life) dialTCP(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := l.dialTime(ctx, address)
	defer cancel()
	dial := l.target.Dial
	if dial == nil {
		dial = Dialer().DialContext
	}
	nc, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", address, err)
	}
	return nc, nil
}

// dialTime is the time that a dial has. Where there is no name to resolve, a net.Dialer
// only has to know the deadline, and sets it at the socket: the timer and the map of a
// context of its own were 2 % of a plain boot's CPU and 8 % of its bytes. It does not look
// at the deadline of a context that cannot end.
func (l *life) dialTime(ctx context.Context, address string) (context.Context, context.CancelFunc) {
	by := l.by(l.limits.Dial)
	if _, err := netip.ParseAddrPort(address); err != nil || l.target.Dial != nil || ctx.Done() == nil {
		return context.WithDeadline(ctx, by)
	}
	return told{ctx, by}, func() {}
}

// told is a context that tells a deadline and does not end with it.
type told struct {
	context.Context
	by time.Time
}

func (t told) Deadline() (time.Time, bool) {
	if end, ok := t.Context.Deadline(); ok && end.Before(t.by) {
		return end, true
	}
	return t.by, true
}

// Dialer is the operating system's network as devices use it: without TCP's
// keep-alive, as they have MQTT's, and with mqtt.DelayAcks.
func Dialer() *net.Dialer {
	return &net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		mqtt.DelayAcks(c)
		return nil
	}}
}

func (l *life) secure(ctx context.Context, nc net.Conn, serverName string) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, l.by(l.limits.TLS))
	defer cancel()
	config := l.target.TLS
	if l.Sessions != nil {
		config = config.Clone()
		config.ClientSessionCache = l.Sessions
	}
	config = l.target.Trust.Config(config, serverName)
	if l.Certificate != nil {
		config.Certificates = []tls.Certificate{*l.Certificate}
	}
	secured := tls.Client(nc, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("the TLS handshake with %s: %w", serverName, err)
	}
	l.resumed = secured.ConnectionState().DidResume
	return secured, nil
}

// connect says CONNECT over nc, and closes it unless it was accepted.
func (l *life) connect(ctx context.Context, nc net.Conn, hello mqtt.Connect) (*mqtt.Conn, error) {
	conn := mqtt.New(ctx, nc, mqtt.Options{PacketTimeout: l.limits.Answer})
	conn.EndBy(l.timeUp, errBootTime)
	if err := conn.Connect(hello, l.deadline()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// deadline is when the answer to what is asked now is overdue.
func (l *life) deadline() time.Time { return time.Now().Add(l.limits.Answer) }

// password is a token for resource. A device with a certificate sends none, and no
// password flag, as the SDKs do.
func (l *life) password(resource, keyName string) []byte {
	if l.Certificate != nil {
		return nil
	}
	return []byte(provisioning.SignToken(l.Key, resource, time.Now().Add(l.limits.Token), keyName))
}

// line is a connection that a device has at the moment, or none.
type line struct{ conn *mqtt.Conn }

// hangUp leaves in good order, unless the power has gone; drop, without a word.
func (l *line) hangUp(ctx context.Context) {
	if errors.Is(context.Cause(ctx), errPowerCut) {
		l.drop()
	}
	if l.conn != nil {
		l.conn.Disconnect()
		l.conn = nil
	}
}

func (l *line) drop() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}
