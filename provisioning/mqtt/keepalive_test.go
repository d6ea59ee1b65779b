package mqtt_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/mqtt"
)

func TestClientPingsAfterThreeQuartersOfTheKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, s := connected(t, 60*time.Second)
		start := time.Now()
		pinged := make(chan time.Duration, 10)
		go func() {
			packet := make([]byte, 2)
			for {
				if _, err := io.ReadFull(s, packet); err != nil {
					return
				}
				if string(packet) == "\xc0\x00" {
					pinged <- time.Since(start)
				}
				io.WriteString(s, "\xd0\x00")
			}
		}()
		if _, err := conn.Receive(in(100 * time.Second)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		for _, want := range []time.Duration{45 * time.Second, 90 * time.Second} {
			if got := <-pinged; got != want {
				t.Errorf("pinged after %v, want %v", got, want)
			}
		}
		conn.Close()
	})
}

func TestClientThatWritesDoesNotPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, s := connected(t, 60*time.Second)
		for range 10 {
			conn.Receive(in(40 * time.Second))
			must(t, conn.Publish(mqtt.Message{Topic: "t"}, in(time.Second)))
		}
		conn.Close()
		written, _ := io.ReadAll(s)
		if strings.Contains(string(written), "\xc0\x00") {
			t.Error("it pinged")
		}
	})
}

func TestMissingPingrespIsALostConnection(t *testing.T) {
	tests := []struct {
		name string
		each time.Duration // how long the owner waits in one call
	}{
		{"OneCall", time.Hour},
		{"ShortCalls", time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, _ := connected(t, 60*time.Second)
				start := time.Now()
				err := os.ErrDeadlineExceeded
				for errors.Is(err, os.ErrDeadlineExceeded) {
					_, err = conn.Receive(in(test.each))
				}
				if !strings.Contains(err.Error(), "no PINGRESP") {
					t.Errorf("got %v", err)
				}
				if lost := time.Since(start); lost != 75*time.Second {
					t.Errorf("lost after %v", lost)
				}
				conn.Close()
			})
		})
	}
}

func TestOwnerWhoWasAwayDoesNotBlameThePeer(t *testing.T) {
	t.Run("Client", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			conn, s := connected(t, 60*time.Second)
			conn.Receive(in(50 * time.Second)) // pings at 45 s
			io.WriteString(s, "\xd0\x00"+"\x30\x03\x00\x01t")
			time.Sleep(time.Hour)
			m, err := conn.Receive(in(time.Second))
			if err != nil || m.Topic != "t" {
				t.Errorf("got %q, %v", m.Topic, err)
			}
			conn.Close()
		})
	})
	t.Run("Server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, server := pair(t, mqtt.Connect{ClientID: "a", KeepAlive: time.Minute})
			must(t, client.Publish(mqtt.Message{Topic: "t"}, in(time.Second)))
			time.Sleep(time.Hour)
			if _, err := server.Read(in(time.Second)); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestServerHangsUpAfterOneAndAHalfKeepAlives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pipe(t)
		io.WriteString(c, "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a") // 60 s
		conn := mqtt.New(t.Context(), s, mqtt.Options{})
		_, err := conn.Accept(in(time.Second))
		must(t, err)
		go func() {
			time.Sleep(80 * time.Second)
			io.WriteString(c, "\xc0\x00")
		}()
		start := time.Now()
		_, err = conn.Read(time.Time{})
		wantClause(t, err, "MQTT-3.1.2-24")
		if silence := time.Since(start); silence != (80+90)*time.Second {
			t.Errorf("hung up after %v", silence)
		}
		rest, err := io.ReadAll(c)
		if string(rest) != "\xd0\x00" || err != nil {
			t.Errorf("the client gets %q, %v", rest, err)
		}
	})
}

func TestKeepAliveOffIsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "a"})
		go server.Read(time.Time{})
		if _, err := client.Receive(in(1000 * time.Hour)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// connected returns a client with a keep-alive and the naked other end.
func connected(t *testing.T, keepAlive time.Duration) (*mqtt.Conn, net.Conn) {
	t.Helper()
	c, s := pipe(t)
	io.WriteString(s, connackBytes)
	conn := mqtt.New(t.Context(), c, mqtt.Options{})
	must(t, conn.Connect(mqtt.Connect{ClientID: "a", CleanSession: true, KeepAlive: keepAlive}, in(time.Second)))
	if _, err := io.ReadFull(s, make([]byte, len(connectBytes))); err != nil {
		t.Fatal(err)
	}
	return conn, s
}
