package emulator_test

import (
	"net"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// TestAConnectionsStackStaysSmall holds the goroutines of connections to 8 KB of
// stack, which grows by doubling and, until a collection, stays as it was at its
// deepest: values of hundreds of bytes that are handed down by copy made it 32 KB.
func TestAConnectionsStackStaysSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has frames of its own")
	}
	const connections, most = 64, 8 << 10
	cfg, fast := contoso(t), emulator.Fast()
	cfg.Answers = &fast
	cfg.Enrollments = []emulator.Enrollment{static(t)}
	cloud, err := emulator.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, talk := range []struct {
		name string
		with func(c *wire, id string)
	}{
		{"a registration", registers},
		{"a hub join and a twin read", readsTwin},
	} {
		before := stacks()
		for i := range connections {
			nc, err := net.Dial("tcp", cloud.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			talk.with(&wire{t: t, nc: nc}, room(i))
		}
		each := (stacks() - before) / connections
		t.Logf("%s: %d bytes of stack", talk.name, each)
		if each > most*5/4 { // spans of stacks have some to spare
			t.Errorf("%s took %d bytes of stack, want %d", talk.name, each, most)
		}
	}
}

// stacks is the memory of all stacks.
func stacks() int {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.StackInuse)
}

func registers(c *wire, id string) {
	c.connect(connectPacket(id, userName(id), goodToken(c.t, id)))
	c.subscribe(1, answerFilter)
	c.asked("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=" + c.register(c.t))
}

func readsTwin(c *wire, id string) {
	password := token(deviceKeyOf(c.t, id), toastersHub+"/devices/"+id, time.Hour)
	c.connect(connectPacket(id, toastersHub+"/"+id+"/?api-version=2021-04-12", password))
	c.subscribe(1, provisioning.TwinAnswerFilter)
	c.ask(1, provisioning.TwinGetTopic("1"), "")
}
