package device

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"time"

	"dpsfleet/provisioning"
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
	Key provisioning.Key
	// Certificate is what the device brings to the TLS handshake, instead of a
	// token, which Key signs. Nil is none.
	Certificate *tls.Certificate
	// Sessions are the TLS sessions of earlier connections, which a handshake
	// resumes; keep them for the device's next boot. Nil makes every handshake in full.
	Sessions tls.ClientSessionCache

	Until Until // empty is UntilTwin
	// Stay is how long the device stays online; 0 is until ctx ends. Only
	// UntilOnline stays at all.
	Stay time.Duration
	// Telemetry is the pause between two messages while online; 0 sends none.
	Telemetry time.Duration
	// PowerCut is when the power goes: the device stops wherever it is and says
	// goodbye to nobody. Zero is never.
	PowerCut time.Time

	// Cached is an assignment of an earlier boot: the device asks its hub first,
	// and DPS only if that does not want it. Nil is none. UntilAssigned, which is
	// about DPS, does without.
	Cached *Assignment
	// Backoff paces what is tried again.
	Backoff Backoff

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
	// Trust remembers the servers' certificates that were verified; nil verifies
	// them in each handshake.
	Trust *Trust
	// WebSocket carries MQTT in a WebSocket, for networks that block port 8883.
	WebSocket bool
	// ServerName is the name in DPS's certificate, where Endpoint is another.
	ServerName string
	// Declared says which hubs may be dialled. The name of any other may
	// belong to somebody.
	Declared func(hub string) bool
	// Gateway is the HOST:PORT that all hub connections go to, as Azure's
	// GatewayHostName does; user name, token and TLS name stay the hub's.
	// Empty dials the hub itself, on port 8883, or 443 for a WebSocket.
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
	// answer CONNACK 3 before the boot gives up; 4. A hub that the device knows
	// from earlier may do so for as long as Reprovision.
	Attempts int
	// Token is the life of a SAS token, 1 h as in most SDKs; a device that
	// stays renews it when nine tenths are over.
	Token time.Duration
	// Reprovision is how long a device that knows its hub tries to reach it before
	// it asks DPS for another; 15 min. Microsoft has it at 15 to 30 (DPS, best
	// practices for large-scale deployments).
	Reprovision time.Duration
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Dial, 10*time.Second)
	orDefault(&l.TLS, 10*time.Second)
	orDefault(&l.Answer, 30*time.Second)
	orDefault(&l.Boot, 10*time.Minute)
	orDefault(&l.Token, time.Hour)
	orDefault(&l.Reprovision, 15*time.Minute)
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
