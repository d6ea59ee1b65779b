package emulator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/emulator/rest"
)

// pahoAtHub is the tutorial's toaster, online at its hub on Paho's full client.
func (w *world) pahoAtHub(filters ...string) *pahoDevice {
	w.t.Helper()
	w.provisioned(toaster, key(w.t, toasterKey))
	device := connectPaho(w.t, w.dial, toaster, toastersHub+"/"+toaster+"/?api-version=2021-04-12",
		token(key(w.t, toasterKey), toastersHub+"/devices/"+toaster, time.Hour))
	for _, filter := range filters {
		device.subscribe(filter)
	}
	return device
}

// atHub is a request to the service side of a hub with a token of iothubowner.
func (w *world) atHub(b *backEnd, method, hub, path, body string) *http.Request {
	w.t.Helper()
	at, err := rest.ParseConnectionString(w.cloud.HubConnectionString(hub))
	if err != nil {
		w.t.Fatal(err)
	}
	r := b.request(method, path, body)
	r.Host = at.Host + ":" + at.Port
	r.Header.Set("Authorization", provisioning.SignToken(at.Key, at.Host, time.Now().Add(time.Hour), at.Policy))
	return r
}

// TestABackEndAndAPahoDevice: each of them is a client that is not ours or plain
// HTTP, so that hub and device share no mistake.
func TestABackEndAndAPahoDevice(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		d := w.pahoAtHub("$iothub/methods/POST/#", "devices/"+toaster+"/messages/devicebound/#", "$iothub/twin/PATCH/properties/desired/#")
		defer d.client.Disconnect(250)

		go func() {
			m := d.next()
			if m.Topic() != "$iothub/methods/POST/toast/?$rid=1" || string(m.Payload()) != `{"slots":2}` {
				t.Errorf("the device got %s on %s", m.Payload(), m.Topic())
			}
			d.done(d.client.Publish("$iothub/methods/res/200/?$rid=1", 1, false, `{"toasted":true}`))
		}()
		got := b.send(w.atHub(b, "POST", toastersHub, "/twins/"+toaster+"/methods?api-version=2021-04-12", `{"methodName":"toast","payload":{"slots":2}}`))
		if got.status != 200 || got.body != `{"status":200,"payload":{"toasted":true}}` {
			t.Errorf("the method was answered %d %s", got.status, got.body)
		}

		sent := b.send(w.atHub(b, "POST", toastersHub, "/devices/"+toaster+"/messages/devicebound?p.alert=smoke", "come quick"))
		if m := d.next(); sent.status != 204 || string(m.Payload()) != "come quick" || !strings.HasSuffix(m.Topic(), "&alert=smoke") || m.Qos() != 1 {
			t.Errorf("%d, and the device got %s on %s", sent.status, m.Payload(), m.Topic())
		}

		patched := b.send(w.atHub(b, "PATCH", toastersHub, "/twins/"+toaster, `{"properties":{"desired":{"state":"off"}}}`))
		if m := d.next(); patched.status != 200 || m.Topic() != "$iothub/twin/PATCH/properties/desired/?$version=2" || string(m.Payload()) != `{"state":"off","$version":2}` {
			t.Errorf("%d, and the device got %s on %s", patched.status, m.Payload(), m.Topic())
		}
	})
}

func TestTheGoMethodsOfTheCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		d := w.pahoAtHub("$iothub/methods/POST/#", "devices/"+toaster+"/messages/devicebound/#")
		defer d.client.Disconnect(250)
		go func() {
			d.next()
			d.client.Publish("$iothub/methods/res/200/?$rid=1", 0, false, `1`)
		}()
		got, err := w.cloud.CallMethod(t.Context(), toastersHub, toaster, emulator.MethodCall{Name: "toast"})
		if err != nil || got.Status != 200 || string(got.Payload) != "1" {
			t.Errorf("answered %d %s, %v", got.Status, got.Payload, err)
		}
		if err := w.cloud.SendMessage(toastersHub, toaster, emulator.Message{Body: []byte("hello")}); err != nil {
			t.Error(err)
		}
		if m := d.next(); string(m.Payload()) != "hello" {
			t.Errorf("the device got %s", m.Payload())
		}
		_, err = w.cloud.CallMethod(t.Context(), heatpumpsHub, toaster, emulator.MethodCall{Name: "toast"})
		if refused := new(emulator.HubError); !errors.As(err, &refused) || refused.Code != 404001 {
			t.Errorf("at another hub: %v, want 404001", err)
		}
		if err := w.cloud.SendMessage("nowhere", toaster, emulator.Message{}); err == nil {
			t.Error("a hub that is not linked took a message")
		}
	})
}

func TestWhoMaySpeakToAHub(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		w.provisioned(toaster, key(t, toasterKey))
		good := func() *http.Request { return w.atHub(b, "GET", toastersHub, "/twins/"+toaster, "") }
		tests := []struct {
			name   string
			change func(*http.Request)
			status int
		}{
			{"iothubowner", func(*http.Request) {}, 200},
			{"without a token", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
			{"the owner of DPS", func(r *http.Request) {
				r.Header.Set("Authorization", b.request("GET", "/", "").Header.Get("Authorization"))
			}, 401},
			{"the device itself", func(r *http.Request) {
				r.Header.Set("Authorization", token(key(t, toasterKey), toastersHub+"/devices/"+toaster, time.Hour))
			}, 401},
			{"a token for another hub", func(r *http.Request) {
				r.Header.Set("Authorization", w.atHub(b, "GET", heatpumpsHub, "/", "").Header.Get("Authorization"))
			}, 401},
			{"a web page", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
			{"a name that was pointed here", func(r *http.Request) { r.Host = "evil.example" }, 421},
			{"another hub in the query", func(r *http.Request) { r.URL.RawQuery = "hub=" + heatpumpsHub }, 404},
			{"the hub in the query", func(r *http.Request) {
				*r = *w.atHub(b, "GET", "localhost", "/twins/"+toaster+"?hub="+toastersHub, "")
			}, 200},
			{"no hub", func(r *http.Request) { *r = *w.atHub(b, "GET", "localhost", "/twins/"+toaster, "") }, 404},
		}
		for _, test := range tests {
			r := good()
			test.change(r)
			if got := b.send(r); got.status != test.status {
				t.Errorf("%s: %d %s, want %d", test.name, got.status, got.body, test.status)
			}
		}
	})
}

func (w *world) saw(b *backEnd, query string) (int, []map[string]any) {
	w.t.Helper()
	r := b.request("GET", "/emulator/exchanges?"+query, "")
	r.Header.Set("Authorization", "Bearer "+w.cloud.Token())
	got := b.send(r)
	var all []map[string]any
	if got.status == 200 {
		if err := json.Unmarshal([]byte(got.body), &all); err != nil {
			w.t.Fatalf("%s: %v", got.body, err)
		}
	}
	return got.status, all
}

func TestWhatTheWebhookGotIsShown(t *testing.T) {
	paced := func(t testing.TB) emulator.Config {
		cfg := served(t)
		cfg.Answers = nil // so that the order is always the same
		return cfg
	}
	inBubble(t, paced, func(t *testing.T, w *world, b *backEnd) {
		w.provisioned(toaster, key(t, toasterKey))
		status, all := w.saw(b, "kind=allocate&registrationId="+strings.ToUpper(toaster))
		if status != 200 || len(all) != 1 {
			t.Fatalf("%d, %d exchanges", status, len(all))
		}
		asked, _ := all[0]["asked"].(map[string]any)
		runtime, _ := asked["deviceRuntimeContext"].(map[string]any)
		answered, _ := all[0]["answered"].(map[string]any)
		if runtime["registrationId"] != toaster || answered["iotHubHostName"] != toastersHub || all[0]["status"] != 200.0 {
			t.Errorf("shown %v", all[0])
		}
		_, all = w.saw(b, "registrationId="+toaster)
		var kinds []string
		for _, x := range all {
			kinds = append(kinds, x["kind"].(string))
		}
		if got := strings.Join(kinds, " "); got != "allocate verdict register poll told" {
			t.Errorf("kept %s", got)
		}
	})
}

func TestAnExchangeIsAwaited(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		start := time.Now()
		if status, _ := w.saw(b, "registrationId="+toaster+"&wait=5s"); status != 204 || time.Since(start) != 5*time.Second {
			t.Errorf("%d after %s, want 204 after 5s", status, time.Since(start))
		}
		var device sync.WaitGroup
		defer device.Wait() // it acknowledges what it was told, later than that is seen
		device.Go(func() {
			time.Sleep(2 * time.Second)
			w.provisioned(toaster, key(t, toasterKey))
		})
		start = time.Now()
		if status, all := w.saw(b, "registrationId="+toaster+"&kind=verdict&wait=1m"); status != 200 || len(all) != 1 || time.Since(start) != 2*time.Second {
			t.Errorf("%d %v after %s, want one after 2s", status, all, time.Since(start))
		}
		x, err := w.cloud.Await(t.Context(), toaster, provisioning.ExchangeTold)
		if err != nil || x.State.AssignedHub != toastersHub {
			t.Errorf("awaited %+v, %v", x, err)
		}
		if status, all := w.saw(b, fmt.Sprintf("after=%d", x.Number)); status != 200 || len(all) != 0 {
			t.Errorf("%d, %d exchanges after the last", status, len(all))
		}
	})
}

func TestAnAwaitEndsWithTheCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		done := make(chan error)
		go func() {
			_, err := w.cloud.Await(t.Context(), toaster, provisioning.ExchangeTold)
			done <- err
		}()
		synctest.Wait()
		w.close()
		if err := <-done; err == nil {
			t.Error("it ended well")
		}
	})
}

func TestWhoMayAskWhatTheEmulatorSaw(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		tests := []struct {
			name, path string
			change     func(*http.Request)
			status     int
		}{
			{"with the token", "exchanges", func(*http.Request) {}, 200},
			{"ready", "ready", func(*http.Request) {}, 200},
			{"totals", "totals", func(*http.Request) {}, 200},
			{"without the token", "totals", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
			{"with another", "totals", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401},
			{"a web page", "totals", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
			{"another Host", "totals", func(r *http.Request) { r.Host = "evil.example" }, 421},
			{"another method", "totals", func(r *http.Request) { r.Method = "POST" }, 405},
			{"something else", "keys", func(*http.Request) {}, 404},
			{"the CA of a cloud without TLS", "ca", func(*http.Request) {}, 404},
			{"a wait without a unit", "exchanges?wait=5", func(*http.Request) {}, 400},
			{"a wait too long", "exchanges?wait=6m", func(*http.Request) {}, 400},
			{"after what is no number", "exchanges?after=x", func(*http.Request) {}, 400},
		}
		for _, test := range tests {
			r := b.request("GET", "/emulator/"+test.path, "")
			r.Header.Set("Authorization", "Bearer "+w.cloud.Token())
			test.change(r)
			if got := b.send(r); got.status != test.status {
				t.Errorf("%s: %d %s, want %d", test.name, got.status, got.body, test.status)
			}
		}
	})
}

// TestWhatIsKeptIsBounded: of each device the last, of all devices the last, and
// of each body its beginning.
func TestWhatIsKeptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		cfg.Observe = emulator.Observe{PerDevice: 3, InAll: 5, Body: 10}
		w := startIn(t, cfg)
		defer w.close()
		w.provisioned(toaster, key(t, toasterKey))
		numbers := func(id string) (all []uint64) {
			for _, x := range w.cloud.Exchanges(id) {
				all = append(all, x.Number)
				if len(x.Asked) > 10 || len(x.Answered) > 10 || len(x.Asked) == 10 && !x.Cut {
					t.Errorf("kept %+v", x)
				}
			}
			return all
		}
		if got := numbers(toaster); !slices.Equal(got, []uint64{3, 4, 5}) {
			t.Errorf("kept %v of 5, want the last 3", got)
		}
		w.provisioned("room1-contoso-hpsd-088", deviceKeyOf(t, "room1-contoso-hpsd-088"))
		if got := numbers(""); !slices.Equal(got, []uint64{4, 5, 8, 9, 10}) {
			t.Errorf("kept %v of all, want the last 5", got)
		}
		w.provisioned("room2-contoso-hpsd-088", deviceKeyOf(t, "room2-contoso-hpsd-088"))
		if got := numbers(toaster); len(got) != 0 {
			t.Errorf("kept %v of the device that came first", got)
		}
		if total := len(w.recorded(provisioning.ExchangeTold)); total != 3 {
			t.Errorf("Config.Record heard of %d verdicts told, want 3", total)
		}
	})
}

func TestCredentialsAreMasked(t *testing.T) {
	const secret = "c2VjcmV0"
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		d := w.pahoAtHub()
		defer d.client.Disconnect(250)
		for _, body := range []string{
			`{"cs":"HostName=h;SharedAccessKey=` + secret + `"}`,
			`{"token":"SharedAccessSignature sr=h&sig=` + secret + `&se=1"}`,
			`{"primaryKey": "` + secret + `"}`, `{"url":"https://f.example/api?code=` + secret,
		} {
			d.done(d.client.Publish("devices/"+toaster+"/messages/events/", 1, false, body))
			all := w.cloud.Exchanges(toaster)
			last := all[len(all)-1]
			if text := string(last.JSON()); last.Kind != provisioning.ExchangeTelemetry || strings.Contains(text, secret) || !strings.Contains(text, "****") {
				t.Errorf("shown %s", text)
			}
		}
	})
}

func TestTelemetryIsShownWithItsProperties(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		d := w.pahoAtHub()
		defer d.client.Disconnect(250)
		d.done(d.client.Publish("devices/"+toaster+"/messages/events/%24.ct=text%2Fplain&alert=ja%20&null", 1, false, "\xff not JSON"))
		_, all := w.saw(b, "kind=telemetry")
		if len(all) != 1 || fmt.Sprint(all[0]["properties"]) != "map[$.ct:text/plain alert:ja  null:<nil>]" || all[0]["asked"] != "� not JSON" {
			t.Errorf("shown %v", all)
		}
	})
}
