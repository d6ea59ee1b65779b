package device_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/provisioning/mqtt"
)

const (
	hubName  = "hub.azure-devices.net"
	endpoint = "127.0.0.1:8883"
)

// script is a cloud that says what it is told to, and remembers what it was
// asked. Each list is played from its front; the last entry stays.
type script struct {
	dps, hub  []byte  // CONNACK codes
	registers []reply // answers to registrations
	polls     []reply // answers to polls
	twins     []reply // answers to GETs of the twin
	pushes    []push  // what the hub sends of its own accord

	mu    sync.Mutex
	seen  [][]string // by connection
	wants sync.WaitGroup
}

// reply is an answer: its topic's status and retry-after, and its body. A reply
// with hangUp closes the connection instead, one with silence says nothing.
type reply struct {
	status     int
	retryAfter string
	body       string
	hangUp     bool
	silence    bool
}

type push struct {
	after time.Duration
	topic string // hangUpTopic closes the connection instead
	body  string
}

const hangUpTopic = "hang up"

func next[T any](mu *sync.Mutex, list *[]T) (v T) {
	mu.Lock()
	defer mu.Unlock()
	if len(*list) == 0 {
		return v
	}
	v = (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return v
}

// line is one connection to the script.
type line struct {
	*script
	*mqtt.Conn
	number int
	id     string // of the client
}

func (l *line) saw(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[l.number] = append(l.seen[l.number], fmt.Sprintf(format, args...))
}

// serve plays the script on a listener until it is closed.
func (s *script) serve(ctx context.Context, l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		c := &line{script: s, Conn: mqtt.New(ctx, nc, mqtt.Options{}), number: len(s.seen)}
		s.seen = append(s.seen, nil)
		s.mu.Unlock()
		s.wants.Go(func() { c.talk(ctx) })
	}
}

func (c *line) talk(ctx context.Context) {
	s := c.script
	defer c.Close()
	hello, err := c.Accept(time.Now().Add(time.Minute))
	if err != nil {
		return
	}
	c.id = hello.ClientID
	c.saw("CONNECT %s keep-alive %s clean %t", hello.Username, hello.KeepAlive, hello.CleanSession)
	codes := &s.hub
	isHub := true
	if _, err := provisioning.ParseDPSUser(hello.Username); err == nil {
		codes, isHub = &s.dps, false
	}
	code := next(&s.mu, codes)
	if c.Connack(code) != nil || code != 0 {
		return
	}
	if isHub {
		for _, p := range s.pushes {
			s.wants.Go(func() {
				select {
				case <-time.After(p.after):
					if p.topic == hangUpTopic {
						c.Close()
						return
					}
					c.Send(mqtt.Message{Topic: p.topic, Payload: []byte(p.body)})
				case <-ctx.Done():
				}
			})
		}
	}
	for {
		p, err := c.Read(time.Time{})
		if err != nil || !c.answer(p) {
			return
		}
	}
}

func (c *line) answer(p mqtt.Packet) bool {
	switch p.Kind {
	case mqtt.SubscribePacket:
		granted := make([]byte, len(p.Filters))
		for i, f := range p.Filters {
			c.saw("SUBSCRIBE %s", f.Topic)
			granted[i] = f.QoS
		}
		return c.Suback(p.ID, granted) == nil
	case mqtt.PublishPacket:
		if p.Message.QoS == 1 {
			c.Puback(p.Message.ID)
		}
		return c.published(p.Message)
	case mqtt.DisconnectPacket:
		c.saw("DISCONNECT")
		return false
	}
	return true
}

func (c *line) published(m mqtt.Message) bool {
	s := c.script
	c.saw("PUBLISH %s %s", m.Topic, m.Payload)
	if request, err := provisioning.ParseRequest(m.Topic); err == nil {
		list := &s.registers
		if request.Poll {
			list = &s.polls
		}
		r := next(&s.mu, list)
		topic := fmt.Sprintf("$dps/registrations/res/%d/?$rid=%s", r.status, request.RequestID)
		if r.retryAfter != "" {
			topic += "&retry-after=" + r.retryAfter
		}
		return c.send(r, topic)
	}
	request, err := provisioning.ParseHubRequest(m.Topic, c.id)
	if err != nil {
		return false
	}
	switch request.Op {
	case provisioning.TwinGet:
		r := next(&s.mu, &s.twins)
		return c.send(r, fmt.Sprintf("$iothub/twin/res/%d/?$rid=%s", r.status, request.RequestID))
	case provisioning.ReportedPatch:
		return c.send(reply{status: 204}, "$iothub/twin/res/204/?$rid="+request.RequestID+"&$version=2")
	}
	return true
}

func (c *line) send(r reply, topic string) bool {
	if r.hangUp {
		return false
	}
	if r.silence {
		return true
	}
	return c.Write(mqtt.Message{Topic: topic, Payload: []byte(r.body), QoS: 1}) == nil
}

// The answers of a registration that goes well.
var (
	accepted  = reply{status: 202, retryAfter: "3", body: `{"operationId":"4.op","status":"assigning"}`}
	assigning = reply{status: 202, retryAfter: "3", body: `{"operationId":"4.op","status":"assigning","registrationState":{"registrationId":"d","status":"assigning"}}`}
	assigned  = reply{status: 200, body: `{"operationId":"4.op","status":"assigned","registrationState":{"registrationId":"d","assignedHub":"` + hubName + `","deviceId":"breakroom1-contoso-tstrsd-007","status":"assigned","substatus":"initialAssignment","payload":{"from":"webhook"}}}`}
	twin      = reply{status: 200, body: `{"desired":{"state":"ready","darknessSetting":"dark","$version":1},"reported":{"$version":1}}`}
	throttled = reply{status: 429, body: `{"errorCode":429001,"trackingId":"","message":"Operations are being throttled for this tenant.","timestampUtc":"2020-04-10T05:24:22Z"}`}
	broken    = reply{status: 500, body: `{"errorCode":500001}`}
)

func good() *script {
	return &script{
		registers: []reply{accepted},
		polls:     []reply{assigning, assigned},
		twins:     []reply{twin},
	}
}

func failed(code int) reply {
	return reply{status: 200, body: fmt.Sprintf(`{"operationId":"4.op","status":"failed","registrationState":{"registrationId":"d","status":"failed","errorCode":%d,"errorMessage":"no"}}`, code)}
}

// boot is one boot against a script, in the bubble that it is called in.
type boot struct {
	events []device.Event
	life   string
	seen   []string
	kept   *device.Assignment
}

// last is the end of the boot.
func (b boot) failure(t *testing.T) *device.Failure {
	t.Helper()
	var f *device.Failure
	if e := b.events[len(b.events)-1]; !errors.As(e.Err, &f) {
		t.Fatalf("the boot ended in %s with %v, not with a failure", e.To, e.Err)
	}
	return f
}

type change func(*device.Device, *device.Target)

func play(t *testing.T, ctx context.Context, s *script, changes ...change) boot {
	t.Helper()
	var network memnet.Network
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	l, err := network.Listen("tcp", endpoint)
	if err != nil {
		t.Fatal(err)
	}
	s.wants.Go(func() { s.serve(serving, l) })
	d := toaster(t)
	target := &device.Target{
		Endpoint: endpoint, IDScope: "0ne00002193", Dial: network.Dial, Gateway: endpoint, Version: "test",
		Declared: func(hub string) bool { return hub == hubName },
	}
	for _, c := range changes {
		c(&d, target)
	}
	var b boot
	start := time.Now()
	b.kept = d.Run(ctx, target, start, func(e device.Event) { b.events = append(b.events, e) })
	synctest.Wait() // the cloud has read all that was said
	l.Close()
	stop()
	s.wants.Wait()
	b.life, b.seen = lifeLine(start, b.events), slices.Concat(s.seen...)
	return b
}

func toaster(t *testing.T) device.Device {
	t.Helper()
	kind, err := device.Models()["toaster"].Compile("toaster")
	if err != nil {
		t.Fatal(err)
	}
	d, err := kind.Make(device.Number{Fleet: "toasters", N: 1, Boot: 1, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	d.Key = provisioning.Key("a key of the test").Derive(d.ID)
	return d
}

// lifeLine is a device's life on one line.
func lifeLine(start time.Time, events []device.Event) string {
	var parts []string
	for _, e := range events {
		parts = append(parts, fmt.Sprintf("%s %s", e.At.Sub(start).Round(time.Millisecond), e.To))
	}
	return strings.Join(parts, "; ")
}

func object(t *testing.T, raw json.RawMessage) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}
