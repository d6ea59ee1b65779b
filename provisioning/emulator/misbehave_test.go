package emulator_test

import (
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
		{"a message over 96 KB", func(c *wire) { c.publish(0, registerTopic, strings.Repeat(" ", 96<<10)) }, "DPS takes 98304"},
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
