package hub_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
)

// ask asks the service API. Headers are "Name: value".
func (s *site) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.hub.ServiceAPI().ServeHTTP(w, r)
	if w.Body.Len() > 0 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
		s.t.Errorf("%s %s answered what is not JSON: %s", method, path, w.Body)
	}
	return w
}

func TestWhatTheServiceAPIRefuses(t *testing.T) {
	tests := []struct {
		name, method, path, body, ifMatch string
		status                            int
		code                              string // the name in iothub-errorcode
	}{
		{"a device that is not there", "GET", "/devices/nobody", "", "", 404, "DeviceNotFound"},
		{"the twin of nobody", "GET", "/twins/nobody", "", "", 404, "DeviceNotFound"},
		{"a change of nobody's twin", "PATCH", "/twins/nobody", `{"tags":{}}`, "", 404, "DeviceNotFound"},
		{"a device twice", "PUT", "/devices/toaster-1", `{"deviceId":"toaster-1"}`, "", 409, "DeviceAlreadyExists"},
		{"a change with an old etag", "PUT", "/devices/toaster-1", `{"deviceId":"toaster-1"}`, `"old"`, 412, "PreconditionFailed"},
		{"a change of nobody", "PUT", "/devices/nobody", `{"deviceId":"nobody"}`, "*", 404, "DeviceNotFound"},
		{"another id in the body", "PUT", "/devices/a", `{"deviceId":"b"}`, "", 400, "ArgumentInvalid"},
		{"an id with a space", "PUT", "/devices/a%20b", `{}`, "", 400, "ArgumentInvalid"},
		{"an unknown status", "PUT", "/devices/a", `{"status":"on"}`, "", 400, "ArgumentInvalid"},
		{"a device with a certificate", "PUT", "/devices/a", `{"authentication":{"type":"selfSigned"}}`, "", 400, "ArgumentInvalid"},
		{"a body that is not JSON", "PUT", "/devices/a", `{`, "", 400, "ArgumentInvalid"},
		{"a removal with an old etag", "DELETE", "/devices/toaster-1", "", `"old"`, 412, "PreconditionFailed"},
		{"a removal of nobody", "DELETE", "/devices/nobody", "", "", 404, "DeviceNotFound"},
		{"a twin with an old etag", "PATCH", "/twins/toaster-1", `{"tags":{}}`, `"old"`, 412, "PreconditionFailed"},
		{"tags that are a list", "PATCH", "/twins/toaster-1", `{"tags":[]}`, "", 400, "ArgumentInvalid"},
		{"tags over 8 KB", "PATCH", "/twins/toaster-1", `{"tags":{"a":"` + strings.Repeat("x", 4<<10) + `","b":"` + strings.Repeat("x", 4<<10) + `"}}`, "", 400, "ArgumentInvalid"},
		{"a key with a full stop", "PATCH", "/twins/toaster-1", `{"properties":{"desired":{"a.b":1}}}`, "", 400, "ArgumentInvalid"},
		{"a method of a device that is offline", "POST", "/twins/toaster-1/methods", `{"methodName":"toast"}`, "", 404, "DeviceNotOnline"},
		{"a time-out beyond an int64 of nanoseconds", "POST", "/twins/toaster-1/methods", `{"methodName":"toast","responseTimeoutInSeconds":99999999999999}`, "", 400, "ArgumentInvalid"},
		{"another query", "POST", "/devices/query", `{"query":"SELECT * FROM devices WHERE tags.a = 1"}`, "", 400, "ArgumentInvalid"},
		{"a message with a bad ttl", "POST", "/devices/toaster-1/messages/devicebound?ttl=soon", "x", "", 400, "ArgumentInvalid"},
		{"a message over 64 KB", "POST", "/devices/toaster-1/messages/devicebound", strings.Repeat("x", 64<<10), "", 413, "MessageTooLarge"},
		{"a request over all limits", "POST", "/devices/toaster-1/messages/devicebound", strings.Repeat("x", 300<<10), "", 413, "MessageTooLarge"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, s *site) {
				var headers []string
				if test.ifMatch != "" {
					headers = append(headers, "If-Match: "+test.ifMatch)
				}
				w := s.ask(test.method, test.path, test.body, headers...)
				if got := w.Header().Get("iothub-errorcode"); w.Code != test.status || got != test.code {
					t.Errorf("answered %d %s, want %d %s: %s", w.Code, got, test.status, test.code, w.Body)
				}
			})
		})
	}
}

func TestADeviceIsMadeChangedAndRemoved(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		made := s.ask("PUT", "/devices/new-1", `{"deviceId":"new-1","status":"enabled","authentication":{"type":"sas"}}`)
		var device struct {
			ETag, Status, ConnectionState string
			Authentication                struct{ SymmetricKey provisioning.SymmetricKey }
		}
		if err := json.Unmarshal(made.Body.Bytes(), &device); err != nil || made.Code != 200 {
			t.Fatalf("%d %s, %v", made.Code, made.Body, err)
		}
		if keys := device.Authentication.SymmetricKey; len(keys.Primary) != 64 || len(keys.Secondary) != 64 || device.ConnectionState != "Disconnected" {
			t.Errorf("made %s", made.Body)
		}
		if got := made.Header().Get("ETag"); got != `"`+device.ETag+`"` {
			t.Errorf("ETag %s, and %s in the body", got, device.ETag)
		}
		changed := s.ask("PUT", "/devices/new-1", `{"status":"disabled"}`, `If-Match: "`+device.ETag+`"`)
		if changed.Code != 200 || !strings.Contains(changed.Body.String(), `"status":"disabled"`) || !strings.Contains(changed.Body.String(), device.Authentication.SymmetricKey.Primary.Base64()) {
			t.Errorf("changed %d %s", changed.Code, changed.Body)
		}
		if gone := s.ask("DELETE", "/devices/new-1", "", "If-Match: *"); gone.Code != 204 {
			t.Errorf("removed %d %s", gone.Code, gone.Body)
		}
		if _, known := s.hub.Device("new-1"); known {
			t.Error("it is still there")
		}
	})
}

func TestADeviceThatIsDisabledIsDisconnected(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online()
		defer conn.Close()
		if w := s.ask("PUT", "/devices/toaster-1", `{"status":"disabled"}`, "If-Match: *"); w.Code != 200 {
			t.Fatal(w.Code, w.Body)
		}
		if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "403012") {
			t.Errorf("it ended for %v, want 403012", err)
		}
		if _, err := s.connect(key(), resource, time.Hour); err == nil {
			t.Error("it connected again")
		}
	})
}

func TestATwinIsReadAndChanged(t *testing.T) {
	inBubble(t, `{"b":1,"a":2}`, func(t *testing.T, s *site) {
		conn := s.online(provisioning.DesiredFilter)
		defer conn.Close()
		first := s.ask("GET", "/twins/toaster-1", "")
		const want = `{"deviceId":"toaster-1","etag":"AAAAAAAAAAE=","deviceEtag":"`
		if body := first.Body.String(); !strings.HasPrefix(body, want) || !strings.Contains(body, `"connectionState":"Connected"`) ||
			!strings.Contains(body, `"properties":{"desired":{"b":1,"a":2,"$version":1},"reported":{"$version":1}}`) {
			t.Errorf("the twin is %s", body)
		}
		patched := s.ask("PATCH", "/twins/toaster-1", `{"tags":{"floor":2},"properties":{"desired":{"b":null,"$version":9,"$metadata":{"b":{}}}}}`, `If-Match: `+first.Header().Get("ETag"))
		if body := patched.Body.String(); patched.Code != 200 || !strings.Contains(body, `"tags":{"floor":2}`) || !strings.Contains(body, `"desired":{"a":2,"$version":2}`) {
			t.Errorf("patched %d %s", patched.Code, body)
		}
		if _, body := receive(conn); body != `{"b":null,"$version":2}` {
			t.Errorf("the device heard %q", body)
		}
		replaced := s.ask("PUT", "/twins/toaster-1", `{"properties":{"desired":{"c":3}}}`, `If-Match: `+patched.Header().Get("ETag"))
		if body := replaced.Body.String(); replaced.Code != 200 || !strings.Contains(body, `"desired":{"c":3,"$version":3}`) || !strings.Contains(body, `"tags":{"floor":2}`) {
			t.Errorf("replaced %d %s", replaced.Code, body)
		}
	})
}

func TestTagsAloneTellTheDeviceNothing(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.DesiredFilter)
		defer conn.Close()
		if w := s.ask("PATCH", "/twins/toaster-1", `{"tags":{"floor":2},"properties":{"desired":null}}`); w.Code != 200 {
			t.Fatal(w.Code, w.Body)
		}
		if _, body := receive(conn); body != "nothing" {
			t.Errorf("the device heard %q", body)
		}
	})
}

func TestAQueryGoesPageByPage(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		for _, id := range []string{"d", "b", "c"} {
			s.hub.Put(hub.Device{ID: id}, hub.Twin{Desired: []byte("{}"), Reported: []byte("{}")})
		}
		var ids []string
		next := ""
		for pages := 0; pages == 0 || next != ""; pages++ {
			w := s.ask("POST", "/devices/query", `{"query":"select *  from devices"}`, "x-ms-max-item-count: 3", "x-ms-continuation: "+next)
			var twins []struct{ DeviceID string }
			if err := json.Unmarshal(w.Body.Bytes(), &twins); err != nil || w.Code != 200 || w.Header().Get("x-ms-item-type") != "Twin" {
				t.Fatalf("%d %s, %v", w.Code, w.Body, err)
			}
			for _, twin := range twins {
				ids = append(ids, twin.DeviceID)
			}
			next = w.Header().Get("x-ms-continuation")
		}
		if got := strings.Join(ids, " "); got != "b c d toaster-1" {
			t.Errorf("the pages have %s", got)
		}
	})
}

func TestAMethodOverHTTP(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		conn := s.online(provisioning.MethodFilter)
		defer conn.Close()
		go answer(t, conn, time.Second, 200, `[1, 2]`)
		w := s.ask("POST", "/twins/toaster-1/methods", `{"methodName":"toast","payload":{"a":1},"responseTimeoutInSeconds":5}`)
		if want := `{"status":200,"payload":[1, 2]}`; w.Code != 200 || w.Body.String() != want {
			t.Errorf("answered %d %s, want %s", w.Code, w.Body, want)
		}
	})
}

func TestAMessageOverHTTP(t *testing.T) {
	inBubble(t, "", func(t *testing.T, s *site) {
		w := s.ask("POST", "/devices/toaster-1/messages/devicebound?messageId=m1&ttl=90s&p.Alert=a%26b&api-version=x", "hello")
		if w.Code != http.StatusNoContent {
			t.Fatal(w.Code, w.Body)
		}
		conn := s.online(provisioning.DeviceboundFilter(deviceID))
		defer conn.Close()
		m, body := receive(conn)
		if want := "&%24.mid=m1&Alert=a%26b"; body != "hello" || !strings.HasSuffix(m.Topic, want) {
			t.Errorf("got %q on %s", body, m.Topic)
		}
		synctest.Wait()
	})
}

// FuzzServiceAPI sends any request: each is answered, with JSON where it has a
// body, and never for a fault of ours.
func FuzzServiceAPI(f *testing.F) {
	f.Add("PUT", "/devices/a", `{"deviceId":"a","authentication":{"symmetricKey":{"primaryKey":"AAAA"}}}`, "*")
	f.Add("PATCH", "/twins/toaster-1", `{"tags":{"a":null},"properties":{"desired":{"$version":1,"a":{"b":[1]}}}}`, "")
	f.Add("PUT", "/twins/toaster-1", `{"properties":{"desired":{}}}`, `"x"`)
	f.Add("POST", "/twins/toaster-1/methods", `{"methodName":"toast","payload":[],"connectTimeoutInSeconds":0}`, "")
	f.Add("POST", "/devices/query", `{"query":"SELECT * FROM devices"}`, "")
	f.Add("POST", "/devices/toaster-1/messages/devicebound?ttl=1s&p.a=b&messageId=1", "hello", "")
	f.Fuzz(func(t *testing.T, method, path, body, ifMatch string) {
		_, err := http.NewRequest(method, path, nil)
		_, errURI := url.ParseRequestURI(path) // as a server reads it
		if err != nil || errURI != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(path+method, " \r\n") {
			return
		}
		h := hub.New(name, hub.Options{})
		twin, _ := hub.NewTwin(provisioning.InitialTwin{})
		h.Put(hub.Device{ID: deviceID}, twin)
		s := &site{t: t, hub: h}
		if w := s.ask(method, path, body, "If-Match: "+ifMatch); w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s %s: %s", method, path, body, w.Body)
		}
		twin, known := h.Twin(deviceID)
		if known && !json.Valid(twin.JSON()) {
			t.Errorf("%s %s %s left the twin %s", method, path, body, twin.JSON())
		}
	})
}
