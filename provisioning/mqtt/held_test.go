package mqtt_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"runtime"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/memnet"
	"dpsfleet/provisioning/mqtt"
)

// memnetBytes is what the network takes of a held device where it is not the
// kernel's: both directions and a timer.
const memnetBytes = 600

// The limits are those that the fleet's memory is planned with: 17 KB a held TLS
// device and 5.1 KB a plain one, stacks included. What the rest of the process
// does meanwhile only adds, so the least of a few measurements counts.
func TestHeldDeviceIsSmall(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector's own memory would be measured")
	}
	tests := []struct {
		name  string
		tls   bool
		limit int
	}{
		{"Plain", false, 5100},
		{"TLS", true, 17000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.limit + 1
			for attempt := 0; attempt < 5 && got > test.limit; attempt++ {
				got = bytesHeld(t, 1000, test.tls) - memnetBytes
			}
			if got > test.limit {
				t.Errorf("a held device takes %d bytes, the limit is %d", got, test.limit)
			}
		})
	}
}

func BenchmarkHeldDevice(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "tls"}[secure], func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(bytesHeld(b, 1000, secure)), "B/device")
			}
		})
	}
}

// bytesHeld returns the heap and stack bytes of one device that idles in Receive.
// Its server is forgotten once it has answered, so that only the device's end is
// left.
func bytesHeld(t testing.TB, devices int, secure bool) int {
	clientSide, serverSide := wrappers(t, secure)
	var network memnet.Network
	l, err := network.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan bool)
	before := inUse()
	for range devices {
		nc, err := network.Dial(ctx, "tcp", l.Addr().String())
		must(t, err)
		go hold(ctx, clientSide(nc), ended)
		accepted, err := l.Accept()
		must(t, err)
		greet(t, serverSide(accepted))
	}
	held := inUse() - before
	cancel()
	for range devices {
		<-ended
	}
	return held / devices
}

func hold(ctx context.Context, nc net.Conn, ended chan<- bool) {
	defer func() { ended <- true }()
	conn := mqtt.New(ctx, nc, mqtt.Options{})
	defer nc.Close()
	if conn.Connect(mqtt.Connect{ClientID: "a", CleanSession: true, KeepAlive: 180 * time.Second}, time.Time{}) != nil {
		return
	}
	if _, err := conn.Subscribe(time.Time{}, 1, "a/#"); err == nil {
		conn.Receive(time.Time{})
	}
}

func greet(t testing.TB, nc net.Conn) {
	conn := mqtt.New(context.Background(), nc, mqtt.Options{})
	_, err := conn.Accept(time.Time{})
	must(t, err)
	must(t, conn.Connack(0))
	_, err = conn.Read(time.Time{})
	must(t, err)
	must(t, conn.Suback(1, []byte{1}))
}

func wrappers(t testing.TB, secure bool) (client, server func(net.Conn) net.Conn) {
	if !secure {
		plain := func(nc net.Conn) net.Conn { return nc }
		return plain, plain
	}
	authority, err := provisioning.NewAuthority("test", time.Now())
	must(t, err)
	cert, err := authority.Issue("localhost")
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	ours := &tls.Config{ServerName: "localhost", RootCAs: roots, CurvePreferences: []tls.CurveID{tls.X25519}}
	theirs := &tls.Config{Certificates: []tls.Certificate{cert}}
	return func(nc net.Conn) net.Conn { return tls.Client(nc, ours) },
		func(nc net.Conn) net.Conn { return tls.Server(nc, theirs) }
}

func inUse() int {
	runtime.GC()
	runtime.GC() // what sync.Pool keeps survives one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

func BenchmarkPublishAndReceive(b *testing.B) {
	for _, qos := range []byte{0, 1} {
		b.Run(map[byte]string{0: "qos0", 1: "qos1"}[qos], func(b *testing.B) {
			c, s := pipe(b)
			go echo(s, mqtt.Options{})
			conn := mqtt.New(context.Background(), c, mqtt.Options{})
			defer conn.Close()
			must(b, conn.Connect(mqtt.Connect{ClientID: "a", CleanSession: true}, time.Time{}))
			m := mqtt.Message{Topic: "$dps/registrations/PUT/iotdps-register/?$rid=1", Payload: make([]byte, 100), QoS: qos}
			b.ReportAllocs()
			for b.Loop() {
				must(b, conn.Publish(m, time.Time{}))
				_, err := conn.Receive(time.Time{})
				must(b, err)
			}
		})
	}
}
