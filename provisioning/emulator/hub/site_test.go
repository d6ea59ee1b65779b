package hub_test

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/provisioning/mqtt"
)

const (
	name     = "toasters.azure-devices.net"
	deviceID = "toaster-1"
)

func key() provisioning.Key { return provisioning.Key("the key of the first toaster") }

// site is a hub behind a listener, as the emulator would serve it.
type site struct {
	t       *testing.T
	hub     *hub.Hub
	network memnet.Network
	ended   chan error // why each connection ended
	late    func()     // called before the hub's end of a connection writes a SUBACK

	mu   sync.Mutex
	seen []provisioning.Exchange
}

func (s *site) observe(x provisioning.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, x)
}

// observed are the exchanges of a kind.
func (s *site) observed(kind provisioning.ExchangeKind) []provisioning.Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.seen), func(x provisioning.Exchange) bool { return x.Kind != kind })
}

// open starts a hub with one device. Its listener ends with ctx.
func open(t *testing.T, ctx context.Context, first string) *site {
	t.Helper()
	s := &site{t: t, ended: make(chan error, 64)}
	s.hub = hub.New(name, hub.Options{Observe: s.observe})
	var initial provisioning.InitialTwin
	initial.Properties.Desired = json.RawMessage(first)
	twin, err := hub.NewTwin(initial)
	if err != nil {
		t.Fatal(err)
	}
	s.hub.Put(hub.Device{ID: deviceID, RegistrationID: deviceID, Keys: provisioning.SymmetricKey{Primary: key()}}, twin)
	listener, err := s.network.Listen("tcp", "127.0.0.1:8883")
	if err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go s.accept(ctx, listener)
	return s
}

func (s *site) accept(ctx context.Context, listener net.Listener) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			if s.late != nil {
				nc = slowSuback{nc, s}
			}
			conn := mqtt.New(ctx, nc, mqtt.Options{MaxPacket: 1 << 20})
			serve, err := s.admit(conn)
			if err != nil {
				conn.Close()
				s.ended <- err
				return
			}
			s.serve(conn, serve)
		}()
	}
}

func (s *site) admit(conn *mqtt.Conn) (hub.Serve, error) {
	hello, err := conn.Accept(time.Now().Add(time.Minute))
	if err != nil {
		return nil, err
	}
	user, err := provisioning.ParseHubUser(hello.Username)
	if err != nil {
		return nil, err
	}
	return s.hub.Admit(conn, hello, user)
}

// serve is a connection's life after its CONNECT, which it may spend parked.
func (s *site) serve(conn *mqtt.Conn, serve hub.Serve) {
	parked, err := serve(func() { s.serve(conn, serve) })
	if parked {
		return
	}
	conn.Close()
	s.ended <- err
}

type slowSuback struct {
	net.Conn
	*site
}

func (c slowSuback) Write(p []byte) (int, error) {
	if c.late != nil && p[0] == 0x90 {
		c.late()
	}
	return c.Conn.Write(p)
}

func (s *site) connect(k provisioning.Key, resource string, life time.Duration) (*mqtt.Conn, error) {
	s.t.Helper()
	nc, err := s.network.Dial(context.Background(), "tcp", "127.0.0.1:8883")
	if err != nil {
		s.t.Fatal(err)
	}
	conn := mqtt.New(context.Background(), nc, mqtt.Options{MaxPacket: 1 << 20})
	err = conn.Connect(hello(k, resource, life), soon())
	return conn, err
}

func hello(k provisioning.Key, resource string, life time.Duration) mqtt.Connect {
	user := provisioning.HubUser{Host: name, DeviceID: deviceID, APIVersion: provisioning.HubAPIVersion}
	return mqtt.Connect{
		ClientID: deviceID, Username: user.String(),
		Password: []byte(provisioning.SignToken(k, resource, time.Now().Add(life), "")),
	}
}

// greet connects with a CONNECT of its own.
func (s *site) greet(change func(*mqtt.Connect)) *mqtt.Conn {
	s.t.Helper()
	nc, err := s.network.Dial(context.Background(), "tcp", "127.0.0.1:8883")
	if err != nil {
		s.t.Fatal(err)
	}
	conn, h := mqtt.New(context.Background(), nc, mqtt.Options{MaxPacket: 1 << 20}), hello(key(), resource, 24*time.Hour)
	change(&h)
	if err := conn.Connect(h, soon()); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

const resource = name + "/devices/" + deviceID

func soon() time.Time { return time.Now().Add(time.Minute) }

// online is a connected device with subscriptions.
func (s *site) online(filters ...string) *mqtt.Conn {
	s.t.Helper()
	conn, err := s.connect(key(), resource, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := conn.Subscribe(soon(), 1, filters...); len(filters) > 0 && err != nil {
		s.t.Fatal(err)
	}
	return conn
}

func inBubble(t *testing.T, first string, test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		test(t, open(t, ctx, first))
	})
}
