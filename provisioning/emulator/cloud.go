package emulator

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/emulator/store"
	"dpsfleet/provisioning/wsnet"
)

// Cloud is a running cloud. Its methods may be called from any goroutine.
type Cloud struct {
	cfg     Config
	ctx     context.Context
	cancel  context.CancelCauseFunc
	running sync.WaitGroup // everything that New and its connections started

	listener     net.Listener
	certificates *certificates // nil without TLS
	issuers      issuers
	tls          *tls.Config

	individuals   records // by registration id, folded
	groups        records // by group id
	groupRoster   roster
	registrations store.Table[registration] // by registration id, folded
	hubs          map[string]*hub.Hub       // by host name, folded; never changes

	owners map[string]provisioning.Key // by the name of their policy; never changes

	state    *store.File              // nil if nothing is kept
	declared store.Table[declaration] // by kind and id; empty if nothing is kept

	admission *gate                // of registrations; nil without quotas
	hubGates  map[string]*hubGates // by host name, folded; nil without quotas

	face     net.Listener // of HTTP; nil without one
	faceHTTP *http.Server
	upgraded chan *wsnet.Conn // WebSockets on their way to a goroutine of their own

	webhook   allocation.Client
	transport *http.Transport
	policies  []*http.Server
	totals    counters

	complaints complaints
	observer   *observer
	token      string // for what the HTTP face tells of it; never changes
}

var errClosed = errors.New("the cloud was closed")

// New starts a cloud. It reports every mistake of cfg at once. The cloud ends
// with ctx or with Close; Close must be called either way.
func New(ctx context.Context, cfg Config) (*Cloud, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	c := &Cloud{cfg: cfg.orDefault(), hubs: make(map[string]*hub.Hub, len(cfg.LinkedHubs))}
	c.issuers = issuers{groups: map[string]*provisioning.Authority{}, individuals: map[string]tls.Certificate{}}
	c.observer, c.token = newObserver(c.cfg.Observe), rand.Text()
	c.cfg.Record = c.observer.before(c.cfg.Record)
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cloud) start() error {
	for _, name := range c.cfg.LinkedHubs {
		c.hubs[strings.ToLower(name)] = hub.New(name, hub.Options{
			Record:          c.cfg.Record,
			Observe:         c.observer.see,
			DisabledConnack: c.cfg.Undocumented.HubDisabledConnack,
			TwinFault:       c.twinFault,
		})
	}
	c.prepareQuotas()
	c.prepareWebhook()
	if err := errors.Join(c.openState(), c.makeOwners()); err != nil {
		return err
	}
	if err := c.enroll(); err != nil {
		return err
	}
	if err := c.prepareTLS(); err != nil {
		return err
	}
	listener, err := c.cfg.Listen("tcp", c.cfg.Address)
	if err != nil {
		return fmt.Errorf("listening for devices on %s: %w", c.cfg.Address, err)
	}
	c.listener = listener
	if err := c.serveFace(); err != nil {
		return errors.Join(err, listener.Close())
	}
	c.running.Go(c.accept)
	c.running.Go(func() {
		<-c.ctx.Done()
		listener.Close()
	})
	return nil
}

func (c *Cloud) prepareTLS() error {
	if !c.cfg.TLS {
		return nil
	}
	authority, err := c.authority("certificate authority", "dpsfleet emulator")
	if err != nil {
		return err
	}
	c.certificates = newCertificates(authority, c.names(), c.cfg.LinkedHubs)
	c.tls = c.certificates.config()
	return nil
}

// patience is how long Close waits for a webhook of ours to return.
const patience = 5 * time.Second

// Close ends the cloud: connections are closed, allocations are given up. It
// returns when all of it has ended, and may be called more than once.
func (c *Cloud) Close() error {
	c.cancel(errClosed)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var failed []error
	if c.faceHTTP != nil {
		failed = append(failed, c.closeFace())
	}
	// First: Shutdown waits for a connection that no request ever came on, such as
	// of a call that was given up while it was dialled.
	c.transport.CloseIdleConnections()
	for _, server := range c.policies {
		// Not Close, which leaves handlers behind that still write to the log.
		if err := server.Shutdown(ctx); err != nil {
			failed = append(failed, fmt.Errorf("a policy did not return: %w", err), server.Close())
		}
	}
	c.running.Wait()
	c.transport.CloseIdleConnections()
	if c.state != nil {
		failed = append(failed, c.state.Close())
	}
	return errors.Join(failed...)
}

// Addr is the address that DPS and the hubs listen on, with its port.
func (c *Cloud) Addr() string { return c.listener.Addr().String() }

// HTTPSAddr is the address of the HTTP face, with its port; empty without one.
func (c *Cloud) HTTPSAddr() string {
	if c.face == nil {
		return ""
	}
	return c.face.Addr().String()
}

// IDScope is what devices name in their user name.
func (c *Cloud) IDScope() string { return c.cfg.IDScope }

// CA is the certificate of the cloud's authority in PEM, nil without TLS. The
// authority's key never leaves the process's memory, but for the file that
// Config.State names.
func (c *Cloud) CA() []byte {
	if c.certificates == nil {
		return nil
	}
	return c.certificates.authority.PEM()
}

// Registration is what DPS tells of a device: assigning while an allocation
// runs, then its verdict.
func (c *Cloud) Registration(id string) (provisioning.RegistrationState, bool) {
	r, known := c.registrations.Get(provisioning.SameID(id))
	if !known {
		return provisioning.RegistrationState{}, false
	}
	return *r.Operation.state(r.ID), true
}

// Twin is a device's twin at a hub.
func (c *Cloud) Twin(hubName, deviceID string) (hub.Twin, bool) {
	h, known := c.hubs[strings.ToLower(hubName)]
	if !known {
		return hub.Twin{}, false
	}
	return h.Twin(deviceID)
}

// PatchDesired changes a device's desired properties as a back end would, and
// tells the device if it is connected and has subscribed. It returns the new
// $version.
func (c *Cloud) PatchDesired(hubName, deviceID string, patch []byte) (int64, error) {
	h, known := c.hubs[strings.ToLower(hubName)]
	if !known {
		return 0, fmt.Errorf("the hub %q is not linked", hubName)
	}
	return h.PatchDesired(deviceID, patch)
}
