package mqtt_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"dpsfleet/provisioning/memnet"
	"dpsfleet/provisioning/mqtt"
)

// pipe returns both ends of a network connection.
func pipe(t testing.TB) (client, server net.Conn) {
	t.Helper()
	var network memnet.Network
	l, err := network.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = network.Dial(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// pair returns both ends of an MQTT connection after CONNACK.
func pair(t testing.TB, hello mqtt.Connect) (client, server *mqtt.Conn) {
	t.Helper()
	c, s := pipe(t)
	return meet(t, c, s, hello)
}

func meet(t testing.TB, c, s net.Conn, hello mqtt.Connect) (client, server *mqtt.Conn) {
	t.Helper()
	client = mqtt.New(context.Background(), c, mqtt.Options{})
	server = mqtt.New(context.Background(), s, mqtt.Options{})
	done := make(chan error, 1)
	go func() {
		if _, err := server.Accept(time.Time{}); err != nil {
			done <- err
			return
		}
		done <- server.Connack(0)
	}()
	if err := client.Connect(hello, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// line is one step of a transcript: bytes that one end sends.
type line struct {
	from  string // "client" or "server"
	bytes string
}

// play acts one end of a transcript: it sends its own lines, and demands the
// other end's byte by byte.
func play(t *testing.T, nc net.Conn, role string, lines []line) {
	for i, l := range lines {
		if l.from == role {
			if _, err := io.WriteString(nc, l.bytes); err != nil {
				t.Errorf("line %d: %v", i, err)
				return
			}
			continue
		}
		got := make([]byte, len(l.bytes))
		n, err := io.ReadFull(nc, got)
		if err != nil || string(got) != l.bytes {
			t.Errorf("line %d: got %q, %v\nwant %q", i, got[:n], err, l.bytes)
			return
		}
	}
}

const (
	connectBytes = "\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a" // clean session, client id a
	connackBytes = "\x20\x02\x00\x00"
)

func in(d time.Duration) time.Time { return time.Now().Add(d) }
