package emulator_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// TestTheSameSeedGivesTheSameRun compares what two runs recorded, times and ids
// included: in a bubble nothing is left to chance.
func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	run := func(seed uint64) (told string) {
		synctest.Test(t, func(t *testing.T) {
			cfg := contoso(t)
			cfg.Seed = seed
			cfg.Enrollments[0].Attestation.SymmetricKey.Secondary = key(t, tutorialKey)
			w := startIn(t, cfg)
			defer w.close()
			var wg sync.WaitGroup
			for i := range 20 {
				id := fmt.Sprintf("room%d-contoso-tstrsd-007", i)
				wg.Go(func() { w.provisioned(id, key(t, tutorialKey).Derive(id)) })
			}
			wg.Wait()
			exchanges := w.recorded(provisioning.ExchangeTold)
			slices.SortFunc(exchanges, func(a, b provisioning.Exchange) int { return cmp.Compare(a.RegistrationID, b.RegistrationID) })
			for _, x := range exchanges {
				told += fmt.Sprintf("%s %s %s\n", x.At, x.OperationID, x.State.JSON())
			}
		})
		return told
	}
	first := run(7)
	if second := run(7); first != second || first == "" {
		t.Errorf("two runs with the same seed differ:\n%s\n%s", first, second)
	}
	if third := run(8); third == first {
		t.Error("another seed gives the same run")
	}
}

// TestSlowAnswersHoldUpNobody: a connection whose answer takes a minute is pinged
// meanwhile, and others are served.
func TestSlowAnswersHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		cfg.Answers = &emulator.Answers{Register: emulator.Exactly(time.Minute)}
		w := startIn(t, cfg)
		defer w.close()
		slow, other := w.device(toaster), w.device(heatpump)
		defer slow.nc.Close()
		defer other.nc.Close()
		start := time.Now()
		slow.publish(0, registerTopic, "")
		slow.send(packets.NewControlPacket(packets.Pingreq))
		if _, pong := slow.read().(*packets.PingrespPacket); !pong || time.Since(start) != 0 {
			t.Errorf("no PINGRESP at once, but after %s", time.Since(start))
		}
		checkRefusal(t, other.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=x", ""), "404 404203 Operation not found.")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the other device waited %s", waited)
		}
		if answer, ok := slow.read().(*packets.PublishPacket); !ok || time.Since(start) != time.Minute {
			t.Errorf("answered %v after %s, want a minute", answer, time.Since(start))
		}
	})
}

func TestAnAnswerThatNobodyWaitsForIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		c := w.device(toaster)
		c.publish(0, registerTopic, "")
		c.nc.Close()
		synctest.Wait()
		registered := w.recorded(provisioning.ExchangeRegister)
		if len(registered) != 1 || registered[0].Err == "" {
			t.Errorf("recorded %+v", registered)
		}
	})
}

func TestOneGoroutineForEachHeldConnection(t *testing.T) {
	const devices = 200
	cfg, fast := contoso(t), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(t)}
	w := startIn(t, cfg)
	defer w.close()
	before := runtime.NumGoroutine()
	for range devices {
		c := w.device(toaster)
		defer c.nc.Close()
		c.register(t)
	}
	if added := runtime.NumGoroutine() - before; added > devices+10 {
		t.Errorf("%d goroutines for %d connections", added, devices)
	}
}

// TestABurst boots many devices at one instant: none is lost and none waits for
// another.
func TestABurst(t *testing.T) {
	devices := 2000
	if raceEnabled {
		devices = 50 // more crash the race detector (golang/go#78156)
	}
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		start := time.Now()
		var wg sync.WaitGroup
		for i := range devices {
			id := fmt.Sprintf("room%d-contoso-hpsd-088", i)
			wg.Go(func() { w.provisioned(id, deviceKeyOf(t, id)) })
		}
		wg.Wait()
		if took := time.Since(start); took > 7*time.Second {
			t.Errorf("the burst took %s; a device alone takes 6.1 s", took)
		}
		if totals := w.cloud.Totals(); totals.Assigned != int64(devices) || totals.WebhookCalls != int64(devices) {
			t.Errorf("totals = %+v", totals)
		}
	})
}

func BenchmarkRegisterCycle(b *testing.B) {
	cfg, fast := contoso(b), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(b)}
	w := quiet(b, cfg)
	defer w.close()
	b.ReportAllocs()
	for b.Loop() {
		c := w.device(toaster)
		id := c.register(b)
		var last operation
		answer := c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId="+id, "")
		if err := json.Unmarshal(answer.Payload, &last); err != nil || last.Status != "assigned" {
			b.Fatal(last.Status, err)
		}
		c.nc.Close()
	}
}

// BenchmarkIdleConnection reports the bytes that a held connection costs, both
// ends of a plain one in memory.
func BenchmarkIdleConnection(b *testing.B) {
	cfg, fast := contoso(b), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(b)}
	w := quiet(b, cfg)
	defer w.close()
	const held = 2000
	for b.Loop() {
		before := heap()
		var conns []net.Conn
		for range held {
			conns = append(conns, w.device(toaster).nc)
		}
		b.ReportMetric(float64(heap()-before)/held, "B/conn")
		for _, nc := range conns {
			nc.Close()
		}
	}
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc + stats.StackInuse)
}
