package emulator_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// BenchmarkTLSRegisterCycle is how many devices a second register, from the dial
// to DISCONNECT, beside a bare loop that makes the same handshake and moves the
// same bytes in as many round trips, in one run, batch after batch. The client
// is the same, so what is missing to a ratio of 1 is the emulator's.
func BenchmarkTLSRegisterCycle(b *testing.B) {
	const batch, atOnce = 100, 16
	cloud := benchCloud(b, true)
	client := newPupil(b, cloud.CA())
	bare := newBareLoop(b, client, cloud.Addr())
	client.trust(bare.ca)
	var took [2]time.Duration
	cycles := 0
	for b.Loop() {
		for i, address := range []string{bare.address, cloud.Addr()} {
			start := time.Now()
			repeat(batch, atOnce, func(n int) { client.cycle(b, address, n) })
			took[i] += time.Since(start)
		}
		cycles += batch
	}
	b.ReportMetric(float64(cycles)/took[0].Seconds(), "bare/s")
	b.ReportMetric(float64(cycles)/took[1].Seconds(), "emulator/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
	b.ReportMetric(0, "ns/op") // of both together, which says nothing
}

// benchCloud is a cloud on loopback with the static group, that answers at once.
func benchCloud(b *testing.B, secure bool) *emulator.Cloud {
	b.Helper()
	cfg, fast := contoso(b), emulator.Fast()
	cfg.Answers, cfg.TLS = &fast, secure
	cfg.Enrollments = []emulator.Enrollment{static(b)}
	cloud, err := emulator.New(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cloud.Close() })
	return cloud
}

// repeat calls do n times, so many at once.
func repeat(n, atOnce int, do func(i int)) {
	var wg sync.WaitGroup
	for worker := range atOnce {
		wg.Go(func() {
			for i := worker; i < n; i += atOnce {
				do(i)
			}
		})
	}
	wg.Wait()
}

// pupil is a client whose packets are made beforehand.
type pupil struct {
	config                       *tls.Config
	hellos                       [][]byte // CONNECT, of 256 devices
	subscribe, register, goodbye []byte
}

func newPupil(b *testing.B, ca []byte) *pupil {
	a := &pupil{config: &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool(), CurvePreferences: []tls.CurveID{tls.X25519}}}
	a.trust(ca)
	for i := range 256 {
		id := fmt.Sprintf("room%03d-contoso-tstrsd-007", i)
		a.hellos = append(a.hellos, packed(connectPacket(id, userName(id), goodToken(b, id))))
	}
	filter := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	filter.MessageID, filter.Topics, filter.Qoss = 1, []string{answerFilter}, []byte{0}
	ask := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	ask.TopicName = registerTopic
	a.subscribe, a.register = packed(filter), packed(ask)
	a.goodbye = packed(packets.NewControlPacket(packets.Disconnect))
	return a
}

func (a *pupil) trust(ca []byte) { a.config.RootCAs.AppendCertsFromPEM(ca) }

func packed(p packets.ControlPacket) []byte {
	var buf bytes.Buffer
	p.Write(&buf)
	return buf.Bytes()
}

// cycle is one device's, from the dial to DISCONNECT; it returns what it was
// told, a packet each.
func (a *pupil) cycle(b testing.TB, address string, n int) [][]byte {
	nc, err := tls.Dial("tcp", address, a.config)
	if err != nil {
		b.Error(err)
		return nil
	}
	defer nc.Close()
	in := inbox{from: nc}
	told := [][]byte{in.after(a.hellos[n%len(a.hellos)]), in.after(a.subscribe), in.after(a.register)}
	told = append(told, in.after(pollOf(told[2])))
	nc.Write(a.goodbye)
	if in.err != nil || !bytes.Contains(told[3], []byte(`"status":"assigned"`)) {
		b.Errorf("the cycle ended with %q, %v", told[3], in.err)
	}
	return told
}

// pollOf asks for the operation that an answer names.
func pollOf(answer []byte) []byte {
	_, rest, _ := bytes.Cut(answer, []byte(`"operationId":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=" + string(id)
	return packed(p)
}

// inbox reads whole packets, by their remaining length alone.
type inbox struct {
	from net.Conn
	buf  []byte
	err  error
}

// after writes a packet and reads the next one.
func (in *inbox) after(p []byte) []byte {
	if _, err := in.from.Write(p); err != nil {
		in.err = err
		return nil
	}
	return in.next()
}

func (in *inbox) next() []byte {
	if in.buf == nil {
		in.buf = make([]byte, 0, 2048)
	}
	for in.err == nil {
		if n, whole := packetLength(in.buf); whole {
			p := bytes.Clone(in.buf[:n])
			in.buf = in.buf[:copy(in.buf, in.buf[n:])]
			return p
		}
		var n int
		n, in.err = in.from.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+n]
	}
	return nil
}

func packetLength(data []byte) (n int, whole bool) {
	for i := 1; i < len(data); i++ {
		n |= int(data[i]&0x7f) << (7 * (i - 1))
		if data[i]&0x80 == 0 {
			return i + 1 + n, i+1+n <= len(data)
		}
	}
	return 0, false
}

// bareLoop answers the packets of a connection one by one with what the emulator
// answered, and knows nothing of what they say.
type bareLoop struct {
	address string
	ca      []byte
	answers [][]byte
}

func newBareLoop(b *testing.B, a *pupil, emulator string) *bareLoop {
	b.Helper()
	authority, err := provisioning.NewAuthority("bare", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	certificate, err := authority.Issue("global.azure-devices-provisioning.net", "*.azure-devices-provisioning.net", "localhost", "127.0.0.1", "::1")
	if err != nil {
		b.Fatal(err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	loop := &bareLoop{address: listener.Addr().String(), ca: authority.PEM(), answers: a.cycle(b, emulator, 0)}
	go loop.accept(listener)
	return loop
}

func (l *bareLoop) accept(listener net.Listener) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			return
		}
		go l.serve(nc)
	}
}

func (l *bareLoop) serve(nc net.Conn) {
	defer nc.Close()
	in := inbox{from: nc}
	for _, answer := range l.answers {
		if in.next() == nil {
			return
		}
		nc.Write(answer)
	}
	in.next() // DISCONNECT
}
