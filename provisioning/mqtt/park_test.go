package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/mqtt"
)

// parker is an owner who parks his connection whenever he may, and tells what Ready
// and Read had to say.
type parker struct {
	conn  *mqtt.Conn
	until time.Time
	said  chan string
}

func (p *parker) serve() {
	for {
		if p.conn.Park(p.until, p.serve) {
			return
		}
		err := p.conn.Ready(p.until)
		if err == nil {
			var packet mqtt.Packet
			packet, err = p.conn.Read(time.Unix(1, 0))
			if err == nil {
				p.said <- packet.Message.Topic
			}
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !p.until.IsZero() && !time.Now().Before(p.until):
			p.said <- "until"
			return
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			p.said <- err.Error()
			return
		}
	}
}

func TestParkedConnection(t *testing.T) {
	tests := []struct {
		name    string
		happens func(client net.Conn, server *mqtt.Conn) // after a minute
		want    string
		after   time.Duration
	}{
		{"hears a message", func(c net.Conn, _ *mqtt.Conn) { io.WriteString(c, "\x30\x03\x00\x01t") }, "t", time.Minute},
		{"hears a message that comes in pieces", func(c net.Conn, _ *mqtt.Conn) {
			io.WriteString(c, "\x30")
			time.Sleep(time.Second)
			io.WriteString(c, "\x03\x00\x01t")
		}, "t", 61 * time.Second},
		{"ends with the client", func(c net.Conn, _ *mqtt.Conn) { c.Close() }, "EOF", time.Minute},
		{"ends when it is closed", func(_ net.Conn, s *mqtt.Conn) { s.Close() }, net.ErrClosed.Error(), time.Minute},
		{"ends when it is kicked", func(_ net.Conn, s *mqtt.Conn) { s.Kick(errors.New("out")) }, "out", time.Minute},
		{"ends after 1.5 times the keep-alive", func(net.Conn, *mqtt.Conn) {}, "no packet in 1.5 times the keep-alive [MQTT-3.1.2-24]", 90 * time.Second},
		{"has all the keep-alive again after a PINGREQ", func(c net.Conn, _ *mqtt.Conn) { io.WriteString(c, "\xc0\x00") }, "no packet in 1.5 times the keep-alive [MQTT-3.1.2-24]", 150 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := pipe(t)
				_, server := meet(t, c, s, mqtt.Connect{ClientID: "a", KeepAlive: time.Minute})
				p := &parker{conn: server, said: make(chan string, 1)}
				start, before := time.Now(), bubbleGoroutines()
				p.serve()
				time.Sleep(time.Minute)
				if held := bubbleGoroutines() - before; held != 0 {
					t.Errorf("%d goroutines hold a parked connection", held)
				}
				c.SetWriteDeadline(time.Time{}) // the client's last packet had one
				test.happens(c, server)
				if got := <-p.said; got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if after := time.Since(start); after != test.after {
					t.Errorf("it took %v, want %v", after, test.after)
				}
				server.Close()
			})
		})
	}
}

func TestParkedConnectionReturnsAtItsOwnersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := pair(t, mqtt.Connect{ClientID: "a"})
		start := time.Now()
		p := &parker{conn: server, until: in(time.Hour), said: make(chan string, 1)}
		p.serve()
		if got := <-p.said; got != "until" || time.Since(start) != time.Hour {
			t.Errorf("got %q after %v", got, time.Since(start))
		}
	})
}

// What others send and wake for is heard, whenever it comes: each message is sent
// when the one before has arrived, so one lost wake ends the test.
func TestNoWakeIsLostWhileParked(t *testing.T) {
	const pairs, rounds = 4, 500
	var wg sync.WaitGroup
	for range pairs {
		client, server := pair(t, mqtt.Connect{ClientID: "a"})
		p := &parker{conn: server, said: make(chan string, rounds)}
		p.serve()
		wg.Go(func() {
			for i := range rounds {
				if !arrives(t, server, client, fmt.Sprint(i)) {
					return
				}
				if err := client.Publish(mqtt.Message{Topic: fmt.Sprint(i)}, in(time.Second)); err != nil {
					t.Error(err)
					return
				}
				if got := <-p.said; got != fmt.Sprint(i) {
					t.Errorf("the server got %q, want %d", got, i)
				}
			}
		})
	}
	wg.Wait()
}

func TestOnlyAConnectionThatCallsBackIsParked(t *testing.T) {
	c, s := pipe(t)
	_, server := meet(t, c, struct{ net.Conn }{s}, mqtt.Connect{ClientID: "a"})
	if server.CanPark() || server.Park(time.Time{}, func() {}) {
		t.Error("it was parked")
	}
}

func TestAParkedConnectionEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := pipe(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		p := &parker{conn: mqtt.New(ctx, s, mqtt.Options{}), said: make(chan string, 1)}
		p.serve()
		cancel(errors.New("the cloud was closed"))
		if got := <-p.said; got != "the cloud was closed" {
			t.Errorf("got %q", got)
		}
	})
}
