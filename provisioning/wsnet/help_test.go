package wsnet_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"dpsfleet/provisioning/memnet"
	"dpsfleet/provisioning/wsnet"
)

// world is a server on a network in memory. What it upgrades is handed to serve
// on a goroutine of its own.
type world struct {
	t       *testing.T
	network memnet.Network
	addr    string
	server  *http.Server
	done    chan struct{}
}

func start(t *testing.T, handler http.HandlerFunc) *world {
	t.Helper()
	w := &world{t: t, done: make(chan struct{})}
	listener, err := w.network.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = listener.Addr().String()
	w.server = &http.Server{Handler: handler}
	go func() { defer close(w.done); w.server.Serve(listener) }()
	return w
}

func (w *world) close() {
	w.server.Close()
	<-w.done
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	nc, err := w.network.Dial(context.Background(), "tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return nc
}

// echo upgrades and sends back what comes.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := wsnet.Upgrade(w, r, "mqtt")
	if err != nil {
		return
	}
	go func() {
		defer conn.Close()
		io.Copy(conn, conn)
	}()
}

// pipe is a pair of connected network connections.
func pipe(t testing.TB) (client, server net.Conn) {
	t.Helper()
	var network memnet.Network
	listener, err := network.Listen("tcp", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err = network.Dial(context.Background(), "tcp", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	server, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// frame is written here without our own code. A client's is masked.
func frame(first byte, masked bool, payload string) []byte {
	var flag byte
	if masked {
		flag = 0x80
	}
	f := []byte{first}
	switch n := len(payload); {
	case n < 126:
		f = append(f, flag|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, flag|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, flag|127), uint64(n))
	}
	if !masked {
		return append(f, payload...)
	}
	key := []byte{0x37, 0xfa, 0x21, 0x3d} // that of RFC 6455 section 5.7
	f = append(f, key...)
	for i := range len(payload) {
		f = append(f, payload[i]^key[i%4])
	}
	return f
}

const (
	binaryFrame  = 0x82
	binaryBegins = 0x02
	continues    = 0x00
	ends         = 0x80
	textFrame    = 0x81
	closeFrame   = 0x88
	ping         = 0x89
	pong         = 0x8a
)

// soon is a deadline for what should come at once.
func soon() time.Time { return time.Now().Add(time.Second) }

// accept is section 4.2.2's answer to a key, without our own code.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
