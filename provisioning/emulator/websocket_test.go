package emulator_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/gorilla/websocket"

	"dpsfleet/provisioning/emulator"
)

// overGorilla is MQTT in Gorilla's WebSocket, which is not ours, as a stream.
type overGorilla struct {
	*websocket.Conn
	frame io.Reader
}

func (c *overGorilla) Read(p []byte) (int, error) {
	for {
		if c.frame == nil {
			_, frame, err := c.NextReader()
			if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			c.frame = frame
		}
		n, err := c.frame.Read(p)
		if err == io.EOF {
			c.frame, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *overGorilla) Write(p []byte) (int, error) {
	return len(p), c.WriteMessage(websocket.BinaryMessage, p)
}

func (c *overGorilla) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// webSocket is a wire through a WebSocket at path.
func (w *world) webSocket(path, protocol string) *wire {
	w.t.Helper()
	dialer := websocket.Dialer{
		Subprotocols: []string{protocol},
		NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return w.network.Dial(ctx, network, w.cloud.HTTPSAddr())
		},
	}
	conn, answer, err := dialer.Dial("ws://localhost"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != protocol {
		w.t.Errorf("the sub-protocol is %q, want %q as it was asked for", got, protocol)
	}
	return &wire{t: w.t, nc: &overGorilla{Conn: conn}}
}

// withFace is a configuration with an HTTP face.
func withFace(cfg emulator.Config) emulator.Config {
	cfg.HTTPS = "127.0.0.1:0"
	return cfg
}

// TestEverySDKIsUnderstoodOverWebSocket: the paths are those of the SDKs' sources,
// C's sub-protocol is in capitals.
func TestEverySDKIsUnderstoodOverWebSocket(t *testing.T) {
	const documented = "/$iothub/websocket"
	paths := map[string]string{"C#": "/", "C# without a payload": "/", "Java": "/mqtt?iothub-no-client-cert=true"}
	for _, sdk := range sdks() {
		t.Run(sdk.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, withFace(contoso(t)))
				defer w.close()
				protocol := "mqtt"
				if sdk.name == "C" {
					protocol = "MQTT"
				}
				c := w.webSocket(cmp.Or(paths[sdk.name], documented), protocol)
				defer c.nc.Close()
				sdk.boot(t, c)
			})
		})
	}
}

// TestPahoBootsAToasterOverWebSocket is Paho's full client with its own
// WebSocket, over TLS on loopback.
func TestPahoBootsAToasterOverWebSocket(t *testing.T) {
	cfg, fast := withFace(contoso(t)), emulator.Fast()
	cfg.TLS, cfg.Answers = true, &fast
	cloud, err := emulator.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cloud.CA())
	boot := func(serverName, id, user, password string) *pahoDevice {
		d := &pahoDevice{t: t, answers: make(chan paho.Message, 16)}
		d.client = paho.NewClient(paho.NewClientOptions().
			AddBroker("wss://" + cloud.HTTPSAddr() + "/$iothub/websocket").
			SetTLSConfig(&tls.Config{RootCAs: roots, ServerName: serverName}).
			SetClientID(id).SetUsername(user).SetPassword(password).
			SetProtocolVersion(4).SetAutoReconnect(false))
		d.done(d.client.Connect())
		return d
	}
	deviceKey := key(t, toasterKey)
	dps := boot("global.azure-devices-provisioning.net", toaster, userName(toaster), token(deviceKey, scope+"/registrations/"+toaster, time.Hour))
	last, _ := dps.provision(`{"registrationId":"` + toaster + `"}`)
	dps.client.Disconnect(250)
	if last.State.AssignedHub != toastersHub {
		t.Fatalf("the device ended as %+v", last)
	}
	device := boot(toastersHub, toaster, toastersHub+"/"+toaster+"/?api-version=2021-04-12", token(deviceKey, toastersHub+"/devices/"+toaster, time.Hour))
	defer device.client.Disconnect(250)
	device.subscribe("$iothub/twin/res/#")
	if answer := device.ask("$iothub/twin/GET/?$rid=1", " "); string(answer.Payload()) != toasterTwin {
		t.Errorf("twin = %s\nwant   %s", answer.Payload(), toasterTwin)
	}
}

// TestAWebSocketIsWokenAndAnsweredLate: an answer that is due while the device is
// silent, a change of the twin, and a ping in between.
func TestAWebSocketIsWokenAndAnsweredLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := withFace(contoso(t))
		cfg.Answers = &emulator.Answers{Register: emulator.Exactly(time.Minute)}
		w := startIn(t, cfg)
		defer w.close()
		c := w.webSocket("/$iothub/websocket", "mqtt")
		defer c.nc.Close()
		c.connect(connectPacket(toaster, userName(toaster), goodToken(t, toaster)))
		c.subscribe(1, answerFilter)
		start := time.Now()
		c.nc.(*overGorilla).WriteControl(websocket.PingMessage, []byte("ping"), start.Add(time.Second))
		id := c.register(t)
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("answered after %s, want a minute", waited)
		}
		c.verdict(t, id)
		hub := w.webSocket("/$iothub/websocket", "mqtt")
		defer hub.nc.Close()
		hub.connect(connectPacket(toaster, toastersHub+"/"+toaster+"/?api-version=2021-04-12", token(deviceKeyOf(t, toaster), toastersHub+"/devices/"+toaster, time.Hour)))
		hub.subscribe(0, "$iothub/twin/PATCH/properties/desired/#")
		if _, err := w.cloud.PatchDesired(toastersHub, toaster, []byte(`{"state":"off"}`)); err != nil {
			t.Fatal(err)
		}
		contains(t, "the patch", hub.read().String(), "$version=2")
	})
}

// TestAWebPageOfAnotherHostGetsNoWebSocket, and one who speaks something else
// neither.
func TestAWebPageOfAnotherHostGetsNoWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, withFace(contoso(t)))
		defer w.close()
		client := w.httpClient()
		defer client.CloseIdleConnections()
		for origin, want := range map[string]int{"https://evil.example": 403, "http://localhost": 101, "": 101} {
			r, _ := http.NewRequest(http.MethodGet, "http://localhost/$iothub/websocket", nil)
			r.Header = http.Header{
				"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-WebSocket-Version": {"13"},
				"Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-WebSocket-Protocol": {"mqtt"},
			}
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("a page of %q was answered %s, want %d", origin, answer.Status, want)
			}
		}
	})
}

// httpClient is a client of the HTTP face, wherever its URL points.
func (w *world) httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return w.network.Dial(ctx, network, w.cloud.HTTPSAddr())
		},
	}}
}

// jsonOf decodes a body that must be JSON.
func jsonOf(t testing.TB, body []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return o
}

// TestAWebSocketThatMisbehavesIsClosed, and the log says why, once.
func TestAWebSocketThatMisbehavesIsClosed(t *testing.T) {
	tests := map[string]struct {
		do     func(*overGorilla)
		after  time.Duration
		reason string
	}{
		"says nothing":    {func(*overGorilla) {}, 30 * time.Second, "waiting for CONNECT"},
		"only pings":      {func(c *overGorilla) { c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) }, 30 * time.Second, "waiting for CONNECT"},
		"writes text":     {func(c *overGorilla) { c.WriteMessage(websocket.TextMessage, []byte("hello")) }, 0, "a text frame"},
		"speaks no MQTT":  {func(c *overGorilla) { c.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }, 0, "CONNECT"},
		"sends too much":  {func(c *overGorilla) { c.Write([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}) }, 0, "larger than is read here"},
		"leaves politely": {func(c *overGorilla) { c.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second)) }, 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, withFace(contoso(t)))
				defer w.close()
				c := w.webSocket("/", "mqtt")
				conn := c.nc.(*overGorilla)
				defer conn.Close()
				start := time.Now()
				test.do(conn)
				conn.SetReadDeadline(start.Add(time.Hour))
				if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, 1000, 1003, 1005) || time.Since(start) != test.after {
					t.Errorf("after %s: %v", time.Since(start), err)
				}
				synctest.Wait()
				if told := strings.Count(w.log.String(), "connection closed"); test.reason != "" && told != 1 {
					t.Errorf("told %d times:\n%s", told, w.log)
				}
				contains(t, "the log", w.log.String(), test.reason)
			})
		})
	}
}
