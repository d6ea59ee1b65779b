package emulator

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// Config says what the cloud is made of. Everything but LinkedHubs and
// Enrollments has a default that is used where a member is nil or zero.
type Config struct {
	// IDScope is what devices name in their user name; 0ne00002193 if empty.
	IDScope string
	// LinkedHubs are the host names of the hubs. The emulator is all of them.
	LinkedHubs []string
	// Hubs are what is particular about some of LinkedHubs, by host name.
	Hubs map[string]LinkedHub
	// Enrollments are let in: individual ones have a registration id, groups
	// a group id.
	Enrollments []Enrollment
	// CACertificates are those that were uploaded to DPS, by the names that
	// caReferences use.
	CACertificates map[string]provisioning.Certificate
	// Answers is how long the service takes; nil is Realistic.
	Answers *Answers
	// Quotas are the limits that DPS and the hubs keep to; none if 0.
	Quotas Quotas
	// Undocumented is what the emulator does where no document says what the
	// service does.
	Undocumented Undocumented
	// Seed decides every draw: the same seed and the same devices give the
	// same allocation times and operation ids.
	Seed uint64

	// State is the file in which enrollments, registrations, twins, messages that
	// wait for devices, sessions of clean session 0, the keys of the policies and
	// the certificates that the cloud made outlive it; it holds secrets. Empty
	// keeps all of it in memory. An enrollment that Enrollments declare as they did
	// the last time is as back ends have left it since.
	State string

	// TLS serves TLS 1.2 and 1.3 under an authority of the cloud's own.
	TLS bool
	// Address to listen on; 127.0.0.1:0 if empty.
	Address string
	// Names are further host names and IP addresses that clients dial the cloud by, as
	// in a network of containers. DPS's certificate has them; the first is in Endpoint
	// and in connection strings.
	Names []string
	// HTTPS is the address of the HTTP face, which serves everything that speaks
	// HTTP: MQTT over WebSocket, the device API, the service APIs of DPS and of
	// the hubs, and what the emulator saw. Empty serves none. Without TLS it is
	// HTTP in the clear.
	HTTPS string
	// Listen and Dial are the network; the operating system's if nil, see Listen. A
	// memnet.Network has both. Dial is for calls of the webhook.
	Listen func(network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)

	// FunctionKey is what policies that ask for a key ask for; made if empty. If
	// it is set, every policy asks for it whose enrollment says nothing.
	FunctionKey allocation.FunctionKey
	// WebhookCalls is how many calls are made at once at most; 256 if 0. A wait
	// for a retry does not count.
	WebhookCalls int
	// FunctionLog takes the log of the policies that the cloud serves itself, as
	// the Azure Functions host would print it. With more than one policy it is
	// written to from several goroutines at once.
	FunctionLog io.Writer
	// MayCall says why the host of a webhook may not be called that a back end
	// puts into an enrollment; nil lets any.
	MayCall func(host string) error
	// Transport stands in front of every call of a webhook, for faults; nil is
	// nothing there.
	Transport func(next http.RoundTripper) http.RoundTripper
	// Fault says what is to go wrong on purpose at a point with a device, by its
	// registration id; nil is nothing, ever. It is called from many goroutines,
	// and what it returns happens.
	Fault func(point FaultPoint, registrationID string) Fault

	// Record is told of every exchange before its answer leaves. It is called
	// from many goroutines and holds up the one that calls it.
	Record func(provisioning.Exchange)
	// Observe is how much is kept of the exchanges for who asks later.
	Observe Observe
	// Log is told once why a connection was closed on its client; nil is
	// silence.
	Log *slog.Logger
}

// Enrollment is a record that lets devices in. A symmetric key that it does not
// bring is made, 64 bytes as DPS makes them.
type Enrollment struct {
	provisioning.Enrollment
	// Policy answers its allocations instead of a webhook of somebody else's.
	// The cloud serves it over HTTP on a listener of its own and calls it there,
	// as it would call any other.
	Policy *allocation.Policy
	// FunctionKey says how the policy is protected.
	FunctionKey FunctionKeyUse
	// Authority signs the certificates of the devices of a group with attestation
	// x509, which then is let in by its certificate. A group with attestation x509
	// that brings neither certificates nor this gets one made, and an individual
	// enrollment a certificate: see Cloud.Certificate.
	Authority *provisioning.Authority
}

// FunctionKeyUse says how the webhook of a policy is protected. Azure takes a
// function's key from the code in the URL, and a URL that was entered without it
// is a mistake that the tutorial's troubleshooting table has.
type FunctionKeyUse string

// The ways. An empty one is required if Config has a key, or else none.
const (
	FunctionKeyNone     FunctionKeyUse = "none"     // anybody may call it
	FunctionKeyRequired FunctionKeyUse = "required" // it asks for a key, and the URL has it
	FunctionKeyMissing  FunctionKeyUse = "missing"  // it asks for a key, and the URL lacks it: 401
)
