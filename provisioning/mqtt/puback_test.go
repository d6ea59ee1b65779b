package mqtt_test

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning/mqtt"
)

// writes keeps what is handed to a connection, Write by Write.
type writes struct {
	net.Conn
	each [][]byte
}

func (w *writes) Write(p []byte) (int, error) {
	w.each = append(w.each, bytes.Clone(p))
	return w.Conn.Write(p)
}

const pubackBytes = "\x40\x02\x00\x07"

// served is a client whose server has sent one message of QoS 1.
func served(t *testing.T) (client *mqtt.Conn, sent *writes, server *mqtt.Conn) {
	c, s := pipe(t)
	sent = &writes{Conn: c}
	client, server = meet(t, sent, s, mqtt.Connect{ClientID: "a", CleanSession: true})
	if err := server.Write(mqtt.Message{Topic: "t", QoS: 1, ID: 7}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Receive(in(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent.each = nil
	return client, sent, server
}

func TestAPubackGoesOut(t *testing.T) {
	for _, test := range []struct {
		when   string
		do     func(*mqtt.Conn) error
		writes []string // how each begins
	}{
		{"with the next packet", func(c *mqtt.Conn) error { return c.Publish(mqtt.Message{Topic: "u"}, time.Time{}) }, []string{pubackBytes + "\x30"}},
		{"with the goodbye", (*mqtt.Conn).Disconnect, []string{pubackBytes + "\xe0\x00"}},
		{"before the owner waits", func(c *mqtt.Conn) error { c.Receive(in(time.Millisecond)); return nil }, []string{pubackBytes}},
		{"when the owner has nothing else to say", (*mqtt.Conn).Acknowledge, []string{pubackBytes}},
		{"once", func(c *mqtt.Conn) error { c.Acknowledge(); return c.Acknowledge() }, []string{pubackBytes}},
	} {
		t.Run(test.when, func(t *testing.T) {
			client, sent, server := served(t)
			if err := test.do(client); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(sent.each, test.writes, func(got []byte, want string) bool { return strings.HasPrefix(string(got), want) }) {
				t.Errorf("wrote %q, want %q", sent.each, test.writes)
			}
			if p, err := server.Read(in(time.Minute)); err != nil || p.Kind != mqtt.PubackPacket || p.ID != 7 {
				t.Errorf("the server read %+v, %v", p, err)
			}
		})
	}
}

// TestPacketsThatComeTogetherAreReadOneByOne, over a bare TCP connection, which is
// read by whole buffers: several packets in one segment, one that is cut anywhere, and
// one that no buffer holds.
func TestPacketsThatComeTogetherAreReadOneByOne(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	large := strings.Repeat("x", 20_000)
	publish := func(payload string) string { return "\x30\x04\x00\x01t" + payload }
	stream := publish("1") + publish("2") + publish("3") + "\x30\xa3\x9c\x01\x00\x01t" + large + publish("4")
	for cut := range 16 {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		peer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer peer.Close()
			peer.Read(make([]byte, 100)) // the CONNECT
			io.WriteString(peer, connackBytes+stream[:cut])
			io.WriteString(peer, stream[cut:])
		}()
		client := mqtt.New(t.Context(), nc, mqtt.Options{})
		defer client.Close()
		if err := client.Connect(mqtt.Connect{ClientID: "a", CleanSession: true}, in(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"1", "2", "3", large, "4"} {
			if m, err := client.Receive(in(time.Minute)); err != nil || string(m.Payload) != want {
				t.Fatalf("cut at %d: got %d bytes, %v, want %d", cut, len(m.Payload), err, len(want))
			}
		}
		if _, err := client.Receive(in(time.Minute)); err == nil || !strings.Contains(err.Error(), "EOF") {
			t.Errorf("after the end: %v", err)
		}
	}
}
