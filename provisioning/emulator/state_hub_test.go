package emulator_test

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// returns connects the toaster to its hub with clean session 0, as SDKs do.
func (w *world) returns(present bool) *wire {
	w.t.Helper()
	c := w.wire()
	p := connectPacket(toaster, toastersHub+"/"+toaster+"/?api-version=2021-04-12",
		token(key(w.t, toasterKey), toastersHub+"/devices/"+toaster, 24*time.Hour))
	p.CleanSession = false
	c.send(p)
	if ack, ok := c.read().(*packets.ConnackPacket); !ok || ack.ReturnCode != 0 || ack.SessionPresent != present {
		w.t.Fatalf("got %v, want a session present %v", ack, present)
	}
	return c
}

// hears is the next message, which is not acknowledged.
func (c *wire) hears(body string, dup bool) *packets.PublishPacket {
	c.t.Helper()
	p, ok := c.read().(*packets.PublishPacket)
	if !ok || string(p.Payload) != body || p.Dup != dup {
		c.t.Fatalf("got %v, want %q, dup %v", p, body, dup)
	}
	return p
}

func (w *world) sends(body string, life time.Duration) {
	w.t.Helper()
	if err := w.cloud.SendMessage(toastersHub, toaster, emulator.Message{Body: []byte(body), TimeToLive: life}); err != nil {
		w.t.Fatal(err)
	}
}

// TestMessagesAndSubscriptionsOutliveARestart: what a device had subscribed to
// holds, what it has not acknowledged comes again under its identifier, what it
// has does not, and what waited too long is gone.
func TestMessagesAndSubscriptionsOutliveARestart(t *testing.T) {
	var id uint16
	lives(t, func() emulator.Config { return served(t) },
		func(w *world, _ *backEnd) {
			w.provisioned(toaster, key(t, toasterKey))
			c := w.returns(false)
			defer c.nc.Close()
			c.subscribe(1, provisioning.DeviceboundFilter(toaster))
			c.subscribe(0, provisioning.DesiredFilter)
			w.sends("done with", 0)
			ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
			ack.MessageID = c.hears("done with", false).MessageID
			c.send(ack)
			w.sends("on its way", 0)
			id = c.hears("on its way", false).MessageID
			c.send(packets.NewControlPacket(packets.Disconnect))
			c.closed()
			w.sends("too late", time.Minute)
			w.sends("waiting", 0)
		},
		func(w *world, b *backEnd) {
			time.Sleep(10 * time.Minute)
			r := b.send(w.atHub(b, "GET", toastersHub, "/devices/"+toaster, ""))
			contains(t, "the device", r.body, `"cloudToDeviceMessageCount":2`)
			c := w.returns(true)
			defer c.nc.Close()
			if again := c.hears("on its way", true); again.MessageID != id {
				t.Errorf("it comes again as %d and not as %d", again.MessageID, id)
			}
			c.hears("waiting", false)
			if _, err := w.cloud.PatchDesired(toastersHub, toaster, []byte(`{"a":1}`)); err != nil {
				t.Fatal(err)
			}
			c.hears(`{"a":1,"$version":2}`, false)
		},
		func(w *world, b *backEnd) { // and nothing of a device that was removed
			r := w.atHub(b, "DELETE", toastersHub, "/devices/"+toaster, "")
			r.Header.Set("If-Match", "*")
			if got := b.send(r); got.status != 204 {
				t.Fatal(got)
			}
		},
		func(w *world, b *backEnd) {
			r := w.atHub(b, "PUT", toastersHub, "/devices/"+toaster, `{"authentication":{"symmetricKey":{"primaryKey":"`+toasterKey+`","secondaryKey":"`+toasterKey+`"}}}`)
			if got := b.send(r); got.status != 200 {
				t.Fatal(got)
			}
			c := w.returns(false)
			defer c.nc.Close()
			left := b.send(w.atHub(b, "GET", toastersHub, "/devices/"+toaster, ""))
			contains(t, "the device", left.body, `"cloudToDeviceMessageCount":0`)
		})
}

// TestCertificatesThatTheCloudMadeOutliveARestart, at DPS and at the hub.
func TestCertificatesThatTheCloudMadeOutliveARestart(t *testing.T) {
	devices := map[string]tls.Certificate{}
	join := func(w *world, id string) {
		c := w.secured(devices[id])
		defer c.nc.Close()
		if code := c.connect(withoutPassword(id, toastersHub+"/"+id+"/?api-version=2021-04-12")); code != 0 {
			t.Errorf("%s at its hub: CONNACK %d", id, code)
		}
	}
	register := func(w *world, id string) {
		c := w.secured(devices[id])
		defer c.nc.Close()
		c.connect(withoutPassword(id, userName(id)))
		c.subscribe(1, answerFilter)
		if last, _ := c.verdict(t, c.register(t)); last.State.AssignedHub != toastersHub {
			t.Errorf("%s ended as %+v", id, last)
		}
	}
	cfg := func() emulator.Config {
		cfg, fast := certified(t), emulator.Fast()
		cfg.HTTPS, cfg.Answers = "127.0.0.1:8443", &fast
		single := x509Individual(provisioning.Attestation{Type: provisioning.AttestX509})
		single.Allocation = provisioning.AllocateStatic
		cfg.Enrollments = append(cfg.Enrollments, single)
		return cfg
	}
	lives(t, cfg,
		func(w *world, _ *backEnd) {
			for enrollment, id := range map[string]string{x509Group: toaster, x509ID: x509ID} {
				devices[id] = must[tls.Certificate](t)(w.cloud.Certificate(enrollment, id))
				register(w, id)
				join(w, id)
			}
		},
		func(w *world, _ *backEnd) {
			for id := range devices {
				join(w, id)
				register(w, id)
			}
			devices["new-contoso-tstrsd-007"] = must[tls.Certificate](t)(w.cloud.Certificate(x509Group, "new-contoso-tstrsd-007"))
			register(w, "new-contoso-tstrsd-007")
		})
}
