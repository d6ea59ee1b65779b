package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"dpsfleet/provisioning/mqtt"
)

// echo serves one client: what it publishes comes back on the topic with
// "/echo".
func echo(nc net.Conn, opt mqtt.Options) error {
	conn := mqtt.New(context.Background(), nc, opt)
	defer conn.Close()
	if _, err := conn.Accept(in(time.Second)); err != nil {
		return err
	}
	if err := conn.Connack(0); err != nil {
		return err
	}
	for {
		p, err := conn.Read(time.Time{})
		if err != nil || p.Kind == mqtt.DisconnectPacket {
			return err
		}
		if err := answer(conn, p); err != nil {
			return err
		}
	}
}

func answer(conn *mqtt.Conn, p mqtt.Packet) error {
	switch p.Kind {
	case mqtt.SubscribePacket:
		return conn.Suback(p.ID, []byte{p.Filters[0].QoS})
	case mqtt.UnsubscribePacket:
		return conn.Unsuback(p.ID)
	case mqtt.PublishPacket:
		if p.Message.QoS == 1 {
			if err := conn.Puback(p.ID); err != nil {
				return err
			}
		}
		m := p.Message
		m.Topic += "/echo"
		return conn.Send(m)
	}
	return nil
}

// The client is not ours: it shares no mistake with this package.
func TestServerServesPahosClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pipe(t)
		served := make(chan error, 1)
		go func() { served <- echo(s, mqtt.Options{}) }()

		client := paho.NewClient(paho.NewClientOptions().
			AddBroker("tcp://memory:1").
			SetClientID("dev-007").SetUsername("user").SetPassword("token").
			SetKeepAlive(30*time.Second).SetAutoReconnect(false).SetProtocolVersion(4).
			SetWill("will", "gone", 1, false).
			SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c, nil }))
		done(t, client.Connect())
		got := make(chan string, 10)
		done(t, client.Subscribe("+/echo", 1, func(_ paho.Client, m paho.Message) {
			got <- fmt.Sprintf("%s %s qos %d", m.Topic(), m.Payload(), m.Qos())
		}))
		for qos := range byte(2) {
			done(t, client.Publish("dev", qos, false, "hello"))
			if answer, want := <-got, fmt.Sprintf("dev/echo hello qos %d", qos); answer != want {
				t.Errorf("got %s, want %s", answer, want)
			}
		}
		time.Sleep(time.Hour) // 120 times the keep-alive
		if !client.IsConnectionOpen() {
			t.Error("the connection did not stay")
		}
		done(t, client.Unsubscribe("+/echo"))
		client.Disconnect(100)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func done(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("paho's client: %v", token.Error())
	}
}
