package emulator_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
)

func TestMisbehaviourClosesTheConnection(t *testing.T) {
	tests := []struct {
		name   string
		do     func(c *wire)
		reason string
	}{
		{"a filter that DPS does not have", func(c *wire) {
			p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
			p.MessageID, p.Topics, p.Qoss = 9, []string{"#"}, []byte{1}
			c.send(p)
		}, "is not the filter that DPS allows"},
		{"a topic that DPS does not have", func(c *wire) { c.publish(0, "$dps/registrations/DELETE/", "") }, "not a topic of DPS"},
		{"a message over 96 KB", func(c *wire) {
			p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
			p.TopicName, p.Payload = registerTopic, make([]byte, 96<<10)
			p.Write(c.nc) // nobody reads it to its end
		}, "its remaining length is 98352 bytes, the limit 98308"},
		{"QoS 2", func(c *wire) { c.publish(2, registerTopic, "") }, "QoS 2"},
		{"a second CONNECT", func(c *wire) { c.send(connectPacket(toaster, userName(toaster), "")) }, "second CONNECT"},
		{"control characters in the topic", func(c *wire) { c.publish(0, "a\x1b[2J\nb", "") }, `a\\x1b[2J\\nb`},
		{"seventeen registrations at once", func(c *wire) {
			for range 17 {
				c.publish(0, registerTopic, "")
			}
		}, "without waiting for an answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, contoso(t))
				defer w.close()
				c := w.device(toaster)
				defer c.nc.Close()
				test.do(c)
				c.closed()
				synctest.Wait()
				contains(t, "the log", w.log.String(), test.reason)
				contains(t, "the log", w.log.String(), "client="+toaster)
				if n := strings.Count(w.log.String(), "connection closed"); n != 1 {
					t.Errorf("%d lines for one connection:\n%s", n, w.log)
				}
				if strings.ContainsRune(w.log.String(), '\x1b') {
					t.Error("the log holds a control character from the wire")
				}
			})
		})
	}
}

// TestBadBytesCloseTheConnection is what comes before MQTT has begun, or instead
// of it: each ends the connection at once, or when its time is over.
func TestBadBytesCloseTheConnection(t *testing.T) {
	tests := []struct {
		name, bytes string
		after       time.Duration
		reason      string
	}{
		{"nothing at all", "", 30 * time.Second, "timeout"},
		{"the web", "GET / HTTP/1.1\r\n\r\n", 0, "MQTT"},
		{"a PUBLISH first", "\x30\x03\x00\x01a", 0, "MQTT-3.1.0-1"},
		{"half a CONNECT", "\x10\x20\x00\x04MQTT", 30 * time.Second, "stalled"},
		{"a length without an end", "\x10\xff\xff\xff\xff\xff", 0, "remaining length"},
		{"a CONNECT of 256 MB", "\x10\xff\xff\xff\x7f", 0, "larger than is read here"},
		{"a CONNECT of 73 KB", "\x10\x80\xc8\x04", 0, "larger than is read here"},
		{"a CONNECT that contradicts itself", "\x10\x04\x00\x09MQ", 0, "in the middle of a field"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, contoso(t))
				defer w.close()
				c := w.wire()
				defer c.nc.Close()
				start := time.Now()
				io.WriteString(c.nc, test.bytes)
				c.closed()
				if took := time.Since(start); took != test.after {
					t.Errorf("closed after %s, want %s", took, test.after)
				}
				synctest.Wait()
				contains(t, "the log", w.log.String(), test.reason)
				w.provisioned(toaster, key(t, toasterKey)) // others are served as before
			})
		})
	}
}

// TestASlowDeviceIsServed: a byte every twenty seconds is slow and no mistake, as
// long as the packet ends within 30 s.
func TestASlowDeviceIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		c := w.device(toaster)
		defer c.nc.Close()
		for _, b := range []byte{0xc0, 0x00} { // PINGREQ
			time.Sleep(20 * time.Second)
			c.nc.Write([]byte{b})
		}
		if _, pong := c.read().(*packets.PingrespPacket); !pong {
			t.Error("no PINGRESP")
		}
		c.nc.Write([]byte{0x30})
		start := time.Now()
		c.closed()
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("a packet that does not go on ended the connection after %s", took)
		}
	})
}

// TestTheSameClientFillsNoLog: one line a minute for one client and one matter,
// with the number of those that were held back.
func TestTheSameClientFillsNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		misbehave := func(id string) {
			c := w.wire()
			defer c.nc.Close()
			c.connect(connectPacket(id, userName(id), token(provisioning.NewKey(), scope+"/registrations/"+id, time.Hour)))
			c.publish(0, "nonsense", "")
			c.closed()
			synctest.Wait()
		}
		for range 50 {
			misbehave(toaster)
		}
		misbehave(heatpump)
		time.Sleep(time.Minute)
		misbehave(toaster)
		for _, about := range []string{"connection closed", "bad credentials"} {
			if n := strings.Count(w.log.String(), `msg="`+about+`" client=`+toaster); n != 2 {
				t.Errorf("%d lines %q about the toaster, want 2:\n%s", n, about, w.log)
			}
		}
		if n := strings.Count(w.log.String(), `msg="connection closed" client=`+heatpump); n != 1 {
			t.Errorf("%d lines about the heat pump, want 1", n)
		}
		contains(t, "the log", w.log.String(), `"more since the last line"=49`)
	})
}

// TestManyClientsFillNoMemory: of more clients than are kept apart the rest
// share a line a minute.
func TestManyClientsFillNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		for i := range 2000 {
			c := w.wire()
			c.send(connectPacket(room(i), "nonsense", ""))
			c.connack()
			c.nc.Close()
		}
		synctest.Wait()
		if n := strings.Count(w.log.String(), "connection closed"); n < 1024 || n > 1025 {
			t.Errorf("%d lines for 2,000 clients within a minute", n)
		}
	})
}

func TestSilenceClosesTheConnectionAtOneAndAHalfTimesTheKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		c := w.wire()
		defer c.nc.Close()
		p := connectPacket(toaster, userName(toaster), goodToken(t, toaster))
		p.Keepalive = 60
		c.connect(p)
		before := time.Now()
		c.closed()
		if took := time.Since(before); took != 90*time.Second {
			t.Errorf("closed after %s, want 90 s", took)
		}
	})
}

func TestNoSecretIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		password := token(provisioning.Key("another key of some length"), scope+"/registrations/"+toaster, time.Hour)
		c := w.wire()
		defer c.nc.Close()
		c.connect(connectPacket(toaster, userName(toaster), password))
		c.publish(0, "nonsense", "")
		c.closed()
		synctest.Wait()
		_, signature, _ := strings.Cut(password, "sig=")
		if strings.Contains(w.log.String(), signature[:20]) {
			t.Errorf("the log holds the token's signature:\n%s", w.log)
		}
		contains(t, "the log", w.log.String(), "no enrollment has the registration id")
	})
}

// TestTheLargestWillFits beside all else that a CONNECT has to say.
func TestTheLargestWillFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		w.provisioned(toaster, key(t, toasterKey))
		c := w.wire()
		defer c.nc.Close()
		p := connectPacket(toaster, toastersHub+"/"+toaster+"/?api-version=2021-04-12&model-id="+strings.Repeat("m", 500),
			token(key(t, toasterKey), toastersHub+"/devices/"+toaster, time.Hour))
		p.WillFlag, p.WillMessage = true, make([]byte, 65535)
		p.WillTopic = "devices/" + toaster + "/messages/events/" + strings.Repeat("property=value&", 200)
		if code := c.connect(p); code != 0 {
			t.Errorf("CONNACK %d", code)
		}
	})
}
