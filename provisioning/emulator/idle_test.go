package emulator_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// held is how many connections the figures are of.
const held = 9000

// BenchmarkIdle is what a held connection costs the emulator, connected and
// subscribed, after a collection: memory that the program uses (B/conn), and all
// that the operating system gave it for that (RSS-B/conn). The clients are in a
// process of their own. Nothing has registered, so neither a registration nor a
// twin is stored.
func BenchmarkIdle(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(b *testing.B) {
			cloud := benchCloud(b, secure)
			for b.Loop() {
				used, resident := usage(b)
				letGo := holdElsewhere(b, cloud.Addr(), secure)
				after, residentAfter := usage(b)
				b.ReportMetric(float64(after-used)/held, "B/conn")
				b.ReportMetric(float64(residentAfter-resident)/held, "RSS-B/conn")
				letGo()
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
	if err != nil {
		b.Skip("this system tells no resident memory:", err)
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	return int64(stats.HeapAlloc + stats.StackInuse), pages * int64(os.Getpagesize())
}

// holder is the variable that makes a process of this test one that holds
// connections: the address and the kind.
const holder = "DPSFLEET_HOLD"

// holdElsewhere starts a process that holds connections, and returns when all of
// them are there.
func holdElsewhere(b *testing.B, address string, secure bool) (letGo func()) {
	b.Helper()
	child := exec.Command(os.Args[0], "-test.run", "^TestHold$", "-test.v")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %t", holder, address, secure))
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "held" {
		if strings.Contains(lines.Text(), "FAIL") {
			b.Fatal(lines.Text())
		}
	}
	return func() {
		in.Close()
		io.Copy(io.Discard, out)
		child.Wait()
	}
}

// TestHold is the other process of BenchmarkIdle, and nothing by itself.
func TestHold(t *testing.T) {
	address, secure, asked := strings.Cut(os.Getenv(holder), " ")
	if !asked {
		t.Skip("only BenchmarkIdle asks for it")
	}
	conns := make([]net.Conn, held)
	repeat(held, 16, func(i int) { conns[i] = hold(t, address, secure == "true", room(i)) })
	fmt.Println("\nheld")
	io.Copy(io.Discard, os.Stdin)
	for _, nc := range conns {
		nc.Close()
	}
}

// hold connects and subscribes.
func hold(t *testing.T, address string, secure bool, id string) net.Conn {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Error("FAIL", err)
		return nil
	}
	if secure {
		// A key exchange as SDKs make it; whose certificate it is does not matter here.
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}})
	}
	c := &wire{t: t, nc: nc}
	nc.SetDeadline(time.Now().Add(time.Minute))
	c.connect(connectPacket(id, userName(id), goodToken(t, id)))
	c.subscribe(1, answerFilter)
	return nc
}
