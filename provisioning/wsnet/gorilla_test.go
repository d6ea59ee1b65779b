package wsnet_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"

	"dpsfleet/provisioning/wsnet"
)

// TestGorillasClientIsServed and the next hold both of our ends against a library
// that is not ours.
func TestGorillasClientIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, echo)
		defer w.close()
		dialer := websocket.Dialer{
			Subprotocols: []string{"amqp", "MQTT"},
			NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return w.network.Dial(ctx, network, w.addr)
			},
		}
		conn, answer, err := dialer.Dial("ws://dps.example/$iothub/websocket?iothub-no-client-cert=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != "MQTT" {
			t.Errorf("the sub-protocol is %q, want it as it was asked for", got)
		}
		for _, size := range []int{1, 125, 126, 65535, 65536, 300_000} {
			sent := []byte(strings.Repeat("x", size))
			conn.WriteControl(websocket.PingMessage, []byte("ping"), soon())
			written := make(chan error, 1)
			go func() { written <- conn.WriteMessage(websocket.BinaryMessage, sent) }()
			var got []byte
			for len(got) < size {
				kind, part, err := conn.ReadMessage()
				if err != nil || kind != websocket.BinaryMessage {
					t.Fatal(kind, err)
				}
				got = append(got, part...)
			}
			if err := <-written; err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back otherwise: %v", size, err)
			}
		}
		conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), soon())
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("the close frame was answered by %v", err)
		}
	})
}

func TestGorillasServerIsUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upgrader := websocket.Upgrader{Subprotocols: []string{"mqtt"}, EnableCompression: true}
		w := start(t, func(w http.ResponseWriter, r *http.Request) {
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer conn.Close()
			conn.WriteControl(websocket.PingMessage, []byte("ping"), soon())
			for {
				kind, data, err := conn.ReadMessage()
				if err != nil {
					return
				}
				if err := conn.WriteMessage(kind, data); err != nil {
					return
				}
			}
		})
		defer w.close()
		nc := w.dial()
		conn, err := wsnet.Client(t.Context(), nc, wsnet.Hello{Host: "dps.example", Path: "/$iothub/websocket", Protocol: "mqtt"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, size := range []int{1, 125, 126, 65535, 65536, 300_000} {
			sent, got := []byte(strings.Repeat("y", size)), make([]byte, size)
			go conn.Write(sent)
			if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back otherwise: %v", size, err)
			}
		}
	})
}
