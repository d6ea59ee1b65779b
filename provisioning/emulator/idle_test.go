package emulator_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/wsnet"
)

// held is how many connections the figures are of.
const held = 9000

// idling is a way to be connected and say nothing.
type idling struct{ secure, atHub, webSocket bool }

func idlings() map[string]idling {
	return map[string]idling{
		"plain": {}, "TLS": {secure: true},
		"plainHub": {atHub: true}, "TLSHub": {secure: true, atHub: true},
		"TLSWebSocket": {secure: true, webSocket: true},
	}
}

// BenchmarkIdle is what a held connection costs the emulator, connected and
// subscribed, after a collection: memory that the program uses (B/conn), and all
// that the operating system gave it for that (RSS-B/conn). The clients are in a
// process of their own. At DPS nothing has registered, and at a hub all have
// before the first look, so that neither registrations nor twins are counted.
func BenchmarkIdle(b *testing.B) {
	for _, kind := range slices.Sorted(maps.Keys(idlings())) {
		b.Run(kind, func(b *testing.B) {
			cfg, fast := contoso(b), emulator.Fast()
			cfg.Answers, cfg.TLS, cfg.HTTPS = &fast, idlings()[kind].secure, "127.0.0.1:0"
			cfg.Enrollments = []emulator.Enrollment{static(b)}
			cloud, err := emulator.New(b.Context(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer cloud.Close()
			for b.Loop() {
				others := startHolder(b, cloud, kind)
				used, resident := usage(b)
				others.do("hold")
				after, residentAfter := usage(b)
				b.ReportMetric(float64(after-used)/held, "B/conn")
				b.ReportMetric(float64(residentAfter-resident)/held, "RSS-B/conn")
				others.letGo()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// usage is the memory in use and the resident one, after a collection.
func usage(b *testing.B) (used, resident int64) {
	b.Helper()
	runtime.GC() // twice, so that pools are empty
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil && os.Getenv("CI") == "true" {
		b.Fatal(err)
	}
	if err != nil {
		b.Skip("only Linux tells the resident memory: ", err)
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	return int64(stats.HeapAlloc + stats.StackInuse), pages * int64(os.Getpagesize())
}

// holding is the variable that makes a process of this test one that holds
// connections: the kind, and the addresses for MQTT and for HTTP.
const holding = "DPSFLEET_HOLD"

// holder is the process that does.
type holder struct {
	b    *testing.B
	cmd  *exec.Cmd
	in   io.WriteCloser
	said *bufio.Scanner
}

// startHolder starts it, and returns when its devices have registered if they
// need to.
func startHolder(b *testing.B, cloud *emulator.Cloud, kind string) *holder {
	b.Helper()
	h := &holder{b: b, cmd: exec.Command(os.Args[0], "-test.run", "^TestHold$", "-test.v")}
	h.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", holding, kind, cloud.Addr(), cloud.HTTPSAddr()))
	h.cmd.Stderr = os.Stderr
	out, err := h.cmd.StdoutPipe()
	if err == nil {
		h.in, err = h.cmd.StdinPipe()
	}
	if err == nil {
		err = h.cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	h.said = bufio.NewScanner(out)
	h.do("register")
	return h
}

// do has the process do something and waits until it has.
func (h *holder) do(what string) {
	h.b.Helper()
	fmt.Fprintln(h.in, what)
	for h.said.Scan() && h.said.Text() != what {
		if strings.Contains(h.said.Text(), "FAIL") {
			h.b.Fatal(h.said.Text())
		}
	}
}

func (h *holder) letGo() {
	h.in.Close()
	for h.said.Scan() {
	}
	h.cmd.Wait()
}

// TestHold is the other process of BenchmarkIdle, and nothing by itself.
func TestHold(t *testing.T) {
	asked := strings.Fields(os.Getenv(holding))
	if len(asked) == 0 {
		t.Skip("no test: the other process of BenchmarkIdle, which alone asks for it")
	}
	d := devices{t: t, idling: idlings()[asked[0]], mqtt: asked[1], https: asked[2]}
	conns := make([]net.Conn, held)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); fmt.Printf("\n%s\n", in.Text()) {
		switch {
		case in.Text() == "hold":
			repeat(held, 16, func(i int) { conns[i] = d.hold(room(i)) })
		case d.atHub:
			repeat(held, 16, func(i int) { d.register(room(i)) })
		}
	}
	for _, nc := range conns {
		nc.Close()
	}
}

// devices are those of the other process.
type devices struct {
	idling
	t           *testing.T
	mqtt, https string
}

// dial is a key exchange as SDKs make it; whose certificate it is does not matter
// here.
func (d devices) dial(address string) *wire {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		d.t.Fatal("FAIL", err)
	}
	if d.secure {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}})
	}
	nc.SetDeadline(time.Now().Add(time.Minute))
	return &wire{t: d.t, nc: nc}
}

// register has a device registered, so that its hub knows it.
func (d devices) register(id string) {
	c := d.dial(d.mqtt)
	defer c.nc.Close()
	c.connect(connectPacket(id, userName(id), goodToken(d.t, id)))
	c.subscribe(0, answerFilter)
	poll := "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=" + c.register(d.t)
	for strings.Contains(c.ask(0, poll, "").TopicName, "/202/") {
	}
}

// hold connects and subscribes, at a hub as SDKs do, with clean session 0.
func (d devices) hold(id string) net.Conn {
	address := d.mqtt
	if d.webSocket {
		address = d.https
	}
	c := d.dial(address)
	if d.webSocket {
		conn, err := wsnet.Client(d.t.Context(), c.nc, wsnet.Hello{Host: d.https, Path: "/", Protocol: "mqtt"})
		if err != nil {
			d.t.Fatal("FAIL", err)
		}
		c.nc = conn
	}
	if !d.atHub {
		c.connect(connectPacket(id, userName(id), goodToken(d.t, id)))
		c.subscribe(1, answerFilter)
		return c.nc
	}
	hello := connectPacket(id, toastersHub+"/"+id+"/?api-version=2021-04-12", token(deviceKeyOf(d.t, id), toastersHub+"/devices/"+id, time.Hour))
	hello.CleanSession = false
	c.send(hello)
	if code := c.connack(); code != 0 {
		d.t.Fatal("FAIL: CONNACK", code)
	}
	c.subscribe(1, provisioning.TwinAnswerFilter)
	c.subscribe(1, provisioning.DesiredFilter)
	return c.nc
}
