package device

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// Until says how far a boot goes.
type Until string

// How far a boot can go.
const (
	UntilAssigned Until = "assigned" // DPS has said which hub
	UntilTwin     Until = "twin"     // the initial twin was read and answered
	UntilOnline   Until = "online"   // the device stays, with telemetry
)

// Device is one simulated device on one boot. Kind.Make fills in who it is.
type Device struct {
	ID      string // registration id
	Fleet   string
	Boot    int // counts from 1
	Payload json.RawMessage

	// Key is the device's own, derived from its group's or given.
	Key   provisioning.Key
	Until Until // empty is UntilTwin
	// Stay is how long the device stays online; 0 is until ctx ends. Only
	// UntilOnline stays at all.
	Stay time.Duration
	// Telemetry is the pause between two messages while online; 0 sends none.
	Telemetry time.Duration

	kind  *Kind
	scope *scope
}

// Target is the cloud that devices boot against: one value for all of them.
type Target struct {
	// Endpoint is DPS's HOST:PORT.
	Endpoint string
	IDScope  string
	// Dial opens connections; nil is the operating system's network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is what every connection uses, with the server's name filled in;
	// nil is MQTT in the clear.
	TLS *tls.Config
	// ServerName is the name in DPS's certificate, where Endpoint is another.
	ServerName string
	// Declared says which hubs may be dialled. The name of any other may
	// belong to somebody.
	Declared func(hub string) bool
	// Gateway is the HOST:PORT that all hub connections go to, as Azure's
	// GatewayHostName does; user name, token and TLS name stay the hub's.
	// Empty dials the hub itself, on port 8883.
	Gateway string
	// Version is dpsfleet's own, for the ClientVersion that DPS's operator sees.
	Version string
	Limits  Limits
	// Heard is told each answer of DPS to a registration or a poll that is no
	// refusal, for whoever shows them as they come. Nil is nobody.
	Heard func(registrationID string, op provisioning.Operation)
}

// Limits of a boot; zero values are the defaults.
type Limits struct {
	Dial   time.Duration // 10 s for a TCP connection
	TLS    time.Duration // 10 s for a handshake
	Answer time.Duration // 30 s for any one answer
	Boot   time.Duration // 10 min for a boot; a webhook's own retries take 415 s
	// Attempts is how often in a row a server may refuse the TCP connection or
	// answer CONNACK 3 before the boot gives up; 4.
	Attempts int
	// Token is the life of a SAS token, 1 h as in most SDKs; a device that
	// stays renews it when nine tenths are over.
	Token time.Duration
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Dial, 10*time.Second)
	orDefault(&l.TLS, 10*time.Second)
	orDefault(&l.Answer, 30*time.Second)
	orDefault(&l.Boot, 10*time.Minute)
	orDefault(&l.Token, time.Hour)
	if l.Attempts == 0 {
		l.Attempts = 4
	}
	return l
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// TLS is the configuration that Microsoft's SDKs use: servers verified against
// roots (nil is the system's), key exchange by X25519 and P-256.
func TLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		RootCAs:          roots,
		MinVersion:       tls.VersionTLS12,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	}
}

// life is one boot as it happens.
type life struct {
	Device
	target *Target
	limits Limits
	record func(Event)

	stage Stage
	since time.Time // when the stage was entered; due while Off
	polls int
	// refusals counts the servers in a row that would not talk, backoffs the
	// pauses since the last progress.
	refusals, backoffs int
	requests           int // for $rid
	twin               desiredTwin
}

// errBootTime is the cause of the context of a boot whose time is over.
var errBootTime = errors.New("the boot's time is over")

// Run boots d against target, and tells record all that happens, from leaving
// Off to the end. It returns when the device has left. due is when the boot was
// to start: what has passed since then is its lateness. The end of ctx is a
// power cut that the device may still say goodbye in.
func (d Device) Run(ctx context.Context, target *Target, due time.Time, record func(Event)) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l := &life{Device: d, target: target, limits: target.Limits.withDefaults(), record: record, since: due}
	clock := time.AfterFunc(l.limits.Boot, func() { cancel(errBootTime) })
	defer clock.Stop()

	assignment, failure := l.provision(ctx)
	if failure != nil {
		l.enter(Failed, failure)
		return
	}
	if d.Until == UntilAssigned {
		l.enter(Off, nil)
		return
	}
	l.atHub(ctx, assignment, clock)
}

// enter moves to a stage and tells so; entering the present one is nothing.
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
	if l.stage == Assigning {
		e.Polls = l.polls
	}
	l.stage, l.since = e.To, now
	l.record(e)
}

// pause waits after a failure that may pass, or gives up: it returns false with
// the failure that ends the boot.
func (l *life) pause(ctx context.Context, failure *Failure, again retry) (*Failure, bool) {
	if ctx.Err() != nil {
		return ended(ctx), false
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
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, true
	case <-ctx.Done():
		return ended(ctx), false
	}
}

// progress forgets earlier refusals.
func (l *life) progress() { l.refusals, l.backoffs = 0, 0 }

// requestID is a new $rid: a counter in decimal, as the C SDK's.
func (l *life) requestID() string {
	l.requests++
	return fmt.Sprint(l.requests)
}

// dial opens a connection and, where the target has TLS, secures it.
func (l *life) dial(ctx context.Context, address, serverName string) (net.Conn, error) {
	nc, err := l.dialTCP(ctx, address)
	if err != nil {
		return nil, err
	}
	if l.target.TLS == nil {
		return nc, nil
	}
	if l.stage == Dialing {
		l.enter(Securing, nil)
	}
	return l.secure(ctx, nc, serverName)
}

func (l *life) dialTCP(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limits.Dial)
	defer cancel()
	dial := l.target.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", address, err)
	}
	return nc, nil
}

func (l *life) secure(ctx context.Context, nc net.Conn, serverName string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limits.TLS)
	defer cancel()
	config := l.target.TLS
	if config.ServerName != serverName {
		config = config.Clone()
		config.ServerName = serverName
	}
	secured := tls.Client(nc, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("the TLS handshake with %s: %w", serverName, err)
	}
	return secured, nil
}

// connect says CONNECT over nc, and closes it unless it was accepted.
func (l *life) connect(ctx context.Context, nc net.Conn, hello mqtt.Connect) (*mqtt.Conn, error) {
	conn := mqtt.New(ctx, nc, mqtt.Options{PacketTimeout: l.limits.Answer})
	if err := conn.Connect(hello, l.deadline()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// deadline is when the answer to what is asked now is overdue.
func (l *life) deadline() time.Time { return time.Now().Add(l.limits.Answer) }

// password is a token for resource.
func (l *life) password(resource, keyName string) []byte {
	return []byte(provisioning.SignToken(l.Key, resource, time.Now().Add(l.limits.Token), keyName))
}
