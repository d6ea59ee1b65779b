package emulator_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestASlowBodyIsGivenUp: each part of the HTTP face reads a body, and none waits
// for its end longer than for a packet of MQTT.
func TestASlowBodyIsGivenUp(t *testing.T) {
	for name, request := range map[string]string{
		"service": "PUT /enrollments/a",
		"hub":     "PATCH /twins/" + toaster,
		"device":  "PUT /" + scope + "/registrations/" + toaster + "/register",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
				w.provisioned(toaster, key(t, toasterKey))
				nc, err := w.network.Dial(t.Context(), "tcp", w.cloud.HTTPSAddr())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				r := b.request("PUT", "/", "")
				if name == "hub" {
					r = w.atHub(b, "PUT", toastersHub, "/", "")
				}
				if name == "device" {
					r.Header.Set("Authorization", goodToken(t, toaster))
				}
				fmt.Fprintf(nc, "%s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: 100\r\n\r\n{", request, r.Host, r.Header.Get("Authorization"))
				nc.SetReadDeadline(time.Now().Add(time.Hour))
				start := time.Now()
				answer, _ := io.ReadAll(nc)
				if took := time.Since(start); took > 31*time.Second || !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
					t.Errorf("after %s: %s", took, answer)
				}
			})
		})
	}
}

// TestALongCallMayFollowItsBody: the limit is the body's, and not the answer's.
func TestALongCallMayFollowItsBody(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		w.provisioned(toaster, key(t, toasterKey))
		start := time.Now()
		got := b.send(w.atHub(b, "POST", toastersHub, "/twins/"+toaster+"/methods", `{"methodName":"toast","connectTimeoutInSeconds":120}`))
		if took := time.Since(start); got.status != 404 || took != 2*time.Minute {
			t.Errorf("after %s: %d %s", took, got.status, got.body)
		}
	})
}
