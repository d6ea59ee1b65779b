package wsnet_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/wsnet"
)

const handshake = "GET /$iothub/websocket HTTP/1.1\r\nHost: dps.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n"

func TestHandshakesThatAreAnsweredAndRefused(t *testing.T) {
	tests := map[string]struct {
		change, to string // in the handshake; without change, to is added
		status     int
		protocol   string
	}{
		"as RFC 6455 has it":             {status: 101, protocol: "mqtt"},
		"C's sub-protocol":               {change: "Protocol: mqtt", to: "Protocol: MQTT", status: 101, protocol: "MQTT"},
		"another sub-protocol beside":    {change: "Protocol: mqtt", to: "Protocol: AMQPWSB10, mqtt", status: 101, protocol: "mqtt"},
		"any path":                       {change: "/$iothub/websocket", to: "/", status: 101, protocol: "mqtt"},
		"Java's query":                   {change: "websocket HTTP", to: "websocket?iothub-no-client-cert=true HTTP", status: 101, protocol: "mqtt"},
		"an extension is offered":        {to: "Sec-WebSocket-Extensions: permessage-deflate\r\n", status: 101, protocol: "mqtt"},
		"a page of the same host":        {to: "Origin: http://DPS.example\r\n", status: 101, protocol: "mqtt"},
		"Python's origin names its port": {to: "Origin: https://dps.example:443\r\n", status: 101, protocol: "mqtt"},
		"a page of another host":         {to: "Origin: https://evil.example\r\n", status: 403},
		"a page of another port":         {to: "Origin: http://dps.example:8080\r\n", status: 403},
		"a page without a host":          {to: "Origin: null\r\n", status: 403},
		"only AMQP":                      {change: "Protocol: mqtt", to: "Protocol: AMQPWSB10", status: 400},
		"no sub-protocol":                {change: "Sec-WebSocket-Protocol: mqtt\r\n", to: "", status: 400},
		"an old version":                 {change: "Version: 13", to: "Version: 8", status: 426},
		"a short key":                    {change: "dGhlIHNhbXBsZSBub25jZQ==", to: "dGhl", status: 400},
		"no key":                         {change: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", to: "", status: 400},
		"no Connection: Upgrade":         {change: "keep-alive, Upgrade", to: "keep-alive", status: 400},
		"a POST":                         {change: "GET", to: "POST", status: 405},
		"a body":                         {to: "Content-Length: 3\r\n\r\nabc", status: 405},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, echo)
				defer w.close()
				nc := w.dial()
				defer nc.Close()
				asked := handshake + test.to
				if test.change != "" {
					asked = strings.Replace(handshake, test.change, test.to, 1)
				}
				io.WriteString(nc, asked+"\r\n")
				answer, err := http.ReadResponse(bufio.NewReader(nc), nil)
				if err != nil {
					t.Fatal(err)
				}
				if answer.StatusCode != test.status || answer.Header.Get("Sec-WebSocket-Protocol") != test.protocol {
					t.Errorf("answered %s with %q, want %d and %q", answer.Status, answer.Header, test.status, test.protocol)
				}
				// The key and its answer are those of RFC 6455 section 1.3.
				if accept := answer.Header.Get("Sec-WebSocket-Accept"); test.status == 101 && accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
					t.Errorf("Sec-WebSocket-Accept is %q", accept)
				}
				if test.status == 426 && answer.Header.Get("Sec-WebSocket-Version") != "13" {
					t.Error("the version that is spoken is not named")
				}
			})
		})
	}
}

// TestFramesThatCameWithTheHandshakeAreRead: a client may write on before it has
// the answer.
func TestFramesThatCameWithTheHandshakeAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, echo)
		defer w.close()
		nc := w.dial()
		defer nc.Close()
		io.WriteString(nc, handshake+"\r\n"+string(frame(binaryFrame, true, "Hello")))
		in := bufio.NewReader(nc)
		if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 101 {
			t.Fatal(answer, err)
		}
		got := make([]byte, 7)
		if _, err := io.ReadFull(in, got); err != nil || string(got) != "\x82\x05Hello" {
			t.Errorf("came back as %q, %v", got, err)
		}
	})
}

func TestAnswersThatAClientRefuses(t *testing.T) {
	const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"
	tests := map[string]struct{ answer, want string }{
		"not found":             {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404 Not Found"},
		"a redirect":            {"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n", "answered 302"},
		"another key's answer":  {good + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", "not one to this handshake"},
		"something else":        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "switches to something else"},
		"not HTTP":              {"\x20\x02\x00\x05", "malformed HTTP"},
		"nothing":               {"", "EOF"},
		"a header without end":  {good + "X: " + strings.Repeat("x", 1<<20), "unexpected EOF"},
		"another sub-protocol":  {strings.Replace(good, "mqtt", "amqp", 1) + "Sec-WebSocket-Accept: %s\r\n\r\n", "does not speak mqtt"},
		"an unasked extension":  {good + "Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Accept: %s\r\n\r\n", "wants an extension"},
		"the key's answer":      {good + "Sec-WebSocket-Accept: %s\r\n\r\n", ""},
		"with a frame after it": {good + "Sec-WebSocket-Accept: %s\r\n\r\n\x82\x05Hello", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc, peer := pipe(t)
				go func() {
					defer peer.Close()
					r, err := http.ReadRequest(bufio.NewReader(peer))
					if err != nil {
						t.Error(err)
						return
					}
					io.WriteString(peer, strings.Replace(test.answer, "%s", accept(r.Header.Get("Sec-WebSocket-Key")), 1))
				}()
				defer nc.Close()
				conn, err := wsnet.Client(context.Background(), nc, wsnet.Hello{Host: "dps.example", Path: "/", Protocol: "mqtt"})
				if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) || test.want == "" && err != nil {
					t.Errorf("the handshake ended with %v, want %q", err, test.want)
				}
				if strings.HasSuffix(test.answer, "Hello") {
					got, err := io.ReadAll(conn)
					if string(got) != "Hello" || err != nil {
						t.Errorf("read %q, %v", got, err)
					}
				}
			})
		})
	}
}

func TestTheHandshakeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := pipe(t)
		defer peer.Close()
		defer nc.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := wsnet.Client(ctx, nc, wsnet.Hello{Host: "dps.example", Path: "/", Protocol: "mqtt"})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("ended after %s with %v", time.Since(start), err)
		}
	})
}

// TestAHostWithALineBreakAddsNoHeader: DPS names the hub that a device dials.
func TestAHostWithALineBreakAddsNoHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := pipe(t)
		sent := collect(peer)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := wsnet.Client(ctx, nc, wsnet.Hello{Host: "dps.example\r\nX: y", Path: "/", Protocol: "mqtt"})
		nc.Close()
		if got := string(<-sent); err == nil || strings.Contains(got, "X: y") {
			t.Errorf("sent %q", got)
		}
	})
}
