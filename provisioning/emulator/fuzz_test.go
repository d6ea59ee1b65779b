package emulator_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning/emulator"
)

// FuzzConnection throws bytes at a served connection, alone and behind a good
// CONNECT. Whatever they are, the next device is served.
func FuzzConnection(f *testing.F) {
	publish := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	publish.TopicName, publish.Payload = registerTopic, []byte(`{"payload":{}}`)
	subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 1, []string{answerFilter}, []byte{1}
	for _, behind := range []bool{false, true} {
		f.Add(behind, encoded(subscribe, publish, publish))
		f.Add(behind, []byte{0x10, 0xff, 0xff, 0xff, 0x7f})
		f.Add(behind, []byte("GET / HTTP/1.1\r\n\r\n"))
	}
	f.Add(false, encoded(connectPacket(toaster, toastersHub+"/"+toaster+"/?api-version=1", "x")))
	cfg, fast := contoso(f), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(f)}
	w := quiet(f, cfg)
	f.Cleanup(w.close)
	good := encoded(connectPacket(toaster, userName(toaster), goodToken(f, toaster)))
	f.Fuzz(func(t *testing.T, behind bool, data []byte) {
		w := &world{t: t, network: w.network, cloud: w.cloud}
		c := w.wire()
		defer c.nc.Close()
		if behind {
			c.nc.Write(good)
		}
		c.nc.Write(data)
		hangUp(c.nc)
		next := w.device(heatpump)
		defer next.nc.Close()
		next.register(t)
	})
}

// hangUp reads what comes at once and leaves.
func hangUp(nc net.Conn) {
	nc.SetReadDeadline(time.Now().Add(time.Millisecond))
	io.Copy(io.Discard, nc)
	nc.Close()
}

func encoded(all ...packets.ControlPacket) []byte {
	var b bytes.Buffer
	for _, p := range all {
		p.Write(&b)
	}
	return b.Bytes()
}
