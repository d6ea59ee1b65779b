package emulator_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning/emulator"
)

// wire speaks packets on Paho's codec, so that a test can say what no client
// library would.
type wire struct {
	t  testing.TB
	nc net.Conn
	id uint16
}

func (w *world) wire() *wire {
	w.t.Helper()
	nc, err := w.dial()
	if err != nil {
		w.t.Fatal(err)
	}
	return &wire{t: w.t, nc: nc}
}

func (c *wire) send(p packets.ControlPacket) {
	c.t.Helper()
	if err := p.Write(c.nc); err != nil {
		c.t.Fatal(err)
	}
}

// read is the next packet, nil if the connection was closed instead.
func (c *wire) read() packets.ControlPacket {
	c.t.Helper()
	c.nc.SetReadDeadline(time.Now().Add(10 * time.Minute))
	p, err := packets.ReadPacket(c.nc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *wire) closed() bool {
	c.t.Helper()
	p := c.read()
	if p != nil {
		c.t.Errorf("got %v, want the connection closed", p)
	}
	return p == nil
}

func connectPacket(clientID, user, password string) *packets.ConnectPacket {
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion = "MQTT", 4
	p.CleanSession = true
	p.ClientIdentifier = clientID
	p.UsernameFlag, p.Username = true, user
	p.PasswordFlag, p.Password = true, []byte(password)
	return p
}

// connect returns the CONNACK's code, and checks that no session is present.
func (c *wire) connect(p *packets.ConnectPacket) byte {
	c.t.Helper()
	c.send(p)
	ack, ok := c.read().(*packets.ConnackPacket)
	if !ok {
		c.t.Fatal("no CONNACK")
	}
	if ack.SessionPresent {
		c.t.Error("the CONNACK says that a session is present; DPS keeps none")
	}
	return ack.ReturnCode
}

// subscribe returns the granted QoS.
func (c *wire) subscribe(qos byte, filter string) byte {
	c.t.Helper()
	c.id++
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = c.id, []string{filter}, []byte{qos}
	c.send(p)
	ack, ok := c.read().(*packets.SubackPacket)
	if !ok || ack.MessageID != c.id || len(ack.ReturnCodes) != 1 {
		c.t.Fatalf("no SUBACK but %v", ack)
	}
	return ack.ReturnCodes[0]
}

func (c *wire) publish(qos byte, topic, body string) {
	c.t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.Qos, p.TopicName, p.Payload = qos, topic, []byte(body)
	if qos > 0 {
		c.id++
		p.MessageID = c.id
	}
	c.send(p)
}

// ask publishes and returns the answer. At QoS 1 the PUBACK must come before it:
// C#'s SDK takes nothing else there.
func (c *wire) ask(qos byte, topic, body string) *packets.PublishPacket {
	c.t.Helper()
	c.publish(qos, topic, body)
	if qos > 0 {
		if ack, ok := c.read().(*packets.PubackPacket); !ok || ack.MessageID != c.id {
			c.t.Fatalf("the packet after a PUBLISH at QoS 1 is not its PUBACK")
		}
	}
	p, ok := c.read().(*packets.PublishPacket)
	if !ok {
		c.t.Fatalf("%s got no answer", topic)
	}
	if p.Qos > 0 {
		ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
		ack.MessageID = p.MessageID
		c.send(ack)
	}
	return p
}

// sas signs as SDKs do, with none of our code: over sr as it is written.
func sas(deviceKey []byte, sr string, expiry int64) string {
	mac := hmac.New(sha256.New, deviceKey)
	fmt.Fprintf(mac, "%s\n%d", sr, expiry)
	return url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func deviceKeyOf(t testing.TB, id string) []byte {
	mac := hmac.New(sha256.New, key(t, tutorialKey))
	io.WriteString(mac, id)
	return mac.Sum(nil)
}

// goodToken is C#'s.
func goodToken(t testing.TB, id string) string {
	sr, expiry := scope+"%2Fregistrations%2F"+id, time.Now().Add(time.Hour).Unix()
	return fmt.Sprintf("SharedAccessSignature sr=%s&sig=%s&se=%d&skn=registration", sr, sas(deviceKeyOf(t, id), sr, expiry), expiry)
}

func TestQoS2IsGrantedAs1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		c := w.wire()
		defer c.nc.Close()
		c.connect(connectPacket(toaster, userName(toaster), goodToken(t, toaster)))
		if granted := c.subscribe(2, "$dps/registrations/res/#"); granted != 1 {
			t.Errorf("granted QoS %d, want 1", granted)
		}
	})
}

// TestBodiesHaveTheLengthsOfTheLiveService boots a device whose ids are as long
// as those in the C SDK's captured trace: 94, 173 and 479 bytes.
func TestBodiesHaveTheLengthsOfTheLiveService(t *testing.T) {
	const id = "sixteen-letters1"
	const hubName = "iotc-0ea5b739-2621-4a83-8c26-12d7f8893c70.azure-devices.net"
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(882867400 * time.Nanosecond) // so that times have seven digits
		w := startIn(t, emulator.Config{LinkedHubs: []string{hubName}, Enrollments: []emulator.Enrollment{static(t)}, Seed: 7})
		defer w.close()
		c := w.wire()
		defer c.nc.Close()
		c.connect(connectPacket(id, userName(id), goodToken(t, id)))
		c.subscribe(1, "$dps/registrations/res/#")
		var transcript strings.Builder
		note := func(p *packets.PublishPacket) operation {
			fmt.Fprintf(&transcript, "%d bytes on %s\n%s\n", len(p.Payload), p.TopicName, p.Payload)
			var op operation
			if err := json.Unmarshal(p.Payload, &op); err != nil {
				t.Fatal(err)
			}
			return op
		}
		op := note(c.ask(0, "$dps/registrations/PUT/iotdps-register/?$rid=1", `{"registrationId":"`+id+`"}`))
		poll := "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=%d&operationId=" + op.OperationID
		time.Sleep(3 * time.Second)
		note(c.ask(0, fmt.Sprintf(poll, 2), ""))
		time.Sleep(3 * time.Second)
		note(c.ask(0, fmt.Sprintf(poll, 3), ""))
		golden(t, "bodies.txt", transcript.String())
		for _, length := range []string{"94 bytes", "173 bytes", "479 bytes"} {
			contains(t, "the transcript", transcript.String(), length)
		}
	})
}
