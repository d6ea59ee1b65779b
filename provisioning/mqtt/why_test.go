package mqtt_test

import (
	"context"
	"net"
	"net/url"
	"runtime"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"dpsfleet/provisioning/memnet"
)

// Why not paho's client? Because of these figures, which CONTRIBUTING quotes:
//
//	go test ./provisioning/mqtt -run WhyNotPahosClient -v
func TestWhyNotPahosClient(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector's own memory would be measured")
	}
	const devices = 500
	pahoGoroutines, pahoBytes := pahoHeld(t, devices)
	ours := bytesHeld(t, devices, false)
	t.Logf("a held plain connection: paho's client %.1f goroutines and %d bytes, ours 1 and %d", pahoGoroutines, pahoBytes, ours)
	if pahoGoroutines < 5 || pahoBytes < 3*ours {
		t.Error("paho's client has become cheap: is this package still worth its keep?")
	}
}

// pahoHeld is bytesHeld for paho's client, and its goroutines.
func pahoHeld(t *testing.T, devices int) (goroutines float64, bytes int) {
	var network memnet.Network
	l, err := network.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	clients := make([]paho.Client, devices)
	before, threads := inUse(), runtime.NumGoroutine()
	for i := range clients {
		clients[i] = paho.NewClient(paho.NewClientOptions().
			AddBroker("tcp://" + l.Addr().String()).SetClientID("a").SetKeepAlive(180 * time.Second).SetAutoReconnect(false).
			SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
				return network.Dial(context.Background(), "tcp", l.Addr().String())
			}))
		subscribed := make(chan error, 1)
		go func() {
			if token := clients[i].Connect(); token.Wait() && token.Error() != nil {
				subscribed <- token.Error()
				return
			}
			token := clients[i].Subscribe("a/#", 1, func(paho.Client, paho.Message) {})
			token.Wait()
			subscribed <- token.Error()
		}()
		accepted, err := l.Accept()
		must(t, err)
		greet(t, accepted)
		must(t, <-subscribed)
	}
	goroutines = float64(runtime.NumGoroutine()-threads) / float64(devices)
	bytes = (inUse() - before) / devices
	for _, c := range clients {
		c.Disconnect(0)
	}
	return goroutines, bytes
}
