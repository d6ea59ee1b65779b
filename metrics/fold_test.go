package metrics_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

// logged plays into a log and reads it back.
func logged(t *testing.T, info metrics.RunInfo, run func(*metrics.Collector)) ([]metrics.Boot, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.ndjson")
	info.Started = start
	log, err := metrics.CreateLog(path, info)
	if err != nil {
		t.Fatal(err)
	}
	c, err := metrics.NewCollector(info, log)
	if err != nil {
		t.Fatal(err)
	}
	run(c)
	if err := log.Close(c.Report(start.Add(20*time.Second), metrics.End{})); err != nil {
		t.Fatal(err)
	}
	var boots []metrics.Boot
	for b, err := range metrics.ReadLog(path) {
		if err != nil {
			t.Fatal(err)
		}
		boots = append(boots, b)
	}
	return boots, path
}

// hardLife is a boot with everything that a line can hold.
func hardLife() *life {
	return born("toasters", "breakroom499-contoso-tstrsd-007", start.Add(1234567*time.Nanosecond)).
		to(device.Dialing, 3141592*time.Nanosecond).
		to(device.Waiting, time.Second, failure(device.OutcomeUnreachable, 0, "dial: refused \xff\n<&>")).
		to(device.Dialing, 2*time.Second).
		to(device.Securing, time.Millisecond).
		to(device.Registering, time.Millisecond).
		to(device.Waiting, time.Millisecond, failure(device.OutcomeRefused, provisioning.Throttled, "DPS answered 429")).
		to(device.Registering, 3*time.Second).
		to(device.Assigning, 54*time.Millisecond).
		to(device.Joining, 6*time.Second, verdict(device.Assignment{
			OperationID: "4.d0a671905ea5b2c8.42d78160-4c78-479e-8be7-61d5e55dac0d",
			Status:      provisioning.Assigned, Hub: toastersHub, DeviceID: "toaster-1",
			Substatus: provisioning.InitialAssignment, Payload: json.RawMessage("{\n \"b\": 1.0,\n \"a\": \"<&>\"\n}"),
		})).
		to(device.Failed, time.Second, failure(device.OutcomeUnreachable, 0, "the hub hung up"))
}

func TestBootSurvivesJSONAndEvents(t *testing.T) {
	lives := map[string]func(*metrics.Collector){
		"everything": func(c *metrics.Collector) { play(c, hardLife(), allocated(hardLife().Device, 503, "")) },
		"online":     func(c *metrics.Collector) { playContoso(c, 1, 0, 0) },
		"failed":     func(c *metrics.Collector) { playContoso(c, 0, 0, 1) },
		"interrupted": func(c *metrics.Collector) {
			play(c, born("x", "a", start).registering())
			c.Finish(start.Add(time.Minute))
		},
		"cached": func(c *metrics.Collector) { play(c, knowing(toastersHub, "a").twin()) },
		"cached, and sent to DPS": func(c *metrics.Collector) {
			refused := failure(device.OutcomeRefused, 0, "CONNACK 5")
			play(c, knowing(toastersHub, "a").to(device.Dialing, time.Second, refused).registering().
				to(device.Joining, 6*time.Second, assignedTo(heatpumpsHub, "a")).twin())
		},
		"cached, and interrupted at DPS": func(c *metrics.Collector) {
			play(c, knowing(toastersHub, "a").to(device.Dialing, time.Second).to(device.Registering, time.Second))
			c.Finish(start.Add(time.Minute))
		},
		"dropped": func(c *metrics.Collector) { play(c, born("x", "a", start).to(device.Dropped, time.Millisecond)) },
		"assigned": func(c *metrics.Collector) {
			play(c, born("x", "a", start).registering().to(device.Off, time.Second, assignedTo("h", "a")))
		},
	}
	for name, run := range lives {
		t.Run(name, func(t *testing.T) {
			first, _ := logged(t, contoso(t), run)
			if len(first) != 1 {
				t.Fatalf("%d boots, want 1", len(first))
			}
			second, _ := logged(t, contoso(t), func(c *metrics.Collector) {
				play(c, &life{events: first[0].Events()}, first[0].Exchanges()...)
			})
			if len(second) != 1 || !reflect.DeepEqual(first[0], second[0]) {
				t.Errorf("came back different:\n%+v\n%+v", first[0], second)
			}
		})
	}
}

func TestBootHoldsTheStory(t *testing.T) {
	boots, _ := logged(t, contoso(t), func(c *metrics.Collector) { play(c, hardLife(), allocated(hardLife().Device, 503, "")) })
	b := boots[0]
	if b.Retries != 2 || b.Polls != 2 || b.Outcome != device.OutcomeUnreachable || b.Hub != toastersHub || b.Error != "the hub hung up" {
		t.Errorf("boot %+v", b)
	}
	if got := string(b.Payload); got != `{"b":1.0,"a":"<&>"}` {
		t.Errorf("payload %s: members, their order and numbers must stay", got)
	}
	if got, ok := b.TimeToAssigned(); !ok || got.Duration() != 12060141*time.Microsecond {
		t.Errorf("time to assigned %v, %v", got.Duration(), ok)
	}
	if b.Lateness().Duration() != 3141*time.Microsecond {
		t.Errorf("lateness %v, want it cut to the microsecond", b.Lateness().Duration())
	}
	if len(b.Allocations) != 1 || b.Allocations[0].Request == "" || b.Met {
		t.Errorf("a failed call keeps its bodies: %+v", b.Allocations)
	}
}

func TestExpectedCallForgetsItsBodies(t *testing.T) {
	boots, _ := logged(t, contoso(t), func(c *metrics.Collector) { playContoso(c, 1, 0, 0) })
	if a := boots[0].Allocations; len(a) != 1 || a[0].Request != "" || a[0].Hub != toastersHub {
		t.Errorf("allocations %+v", a)
	}
}

// However a device goes on after its boot, and whatever is told twice, each
// (device, boot) is in the log once.
func TestEachBootExactlyOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	stages := []device.Stage{device.Off, device.Dialing, device.Assigning, device.Joining, device.Online, device.Waiting, device.Failed, device.Dropped}
	seen := make(map[string]int)
	begun := make(map[string]bool)
	boots, _ := logged(t, metrics.RunInfo{}, func(c *metrics.Collector) {
		for i := range 5000 {
			e := device.Event{
				Device: string(rune('a' + random.IntN(20))), Boot: 1 + i/500, At: start.Add(time.Duration(i) * time.Millisecond),
				From: stages[random.IntN(len(stages))], To: stages[random.IntN(len(stages))],
			}
			begun[key(e.Device, e.Boot)] = true
			c.Event(e)
			if random.IntN(50) == 0 {
				e.Boot--
				c.Event(e)
			}
		}
		c.Finish(start.Add(time.Hour))
		c.Finish(start.Add(time.Hour))
	})
	for _, b := range boots {
		if seen[key(b.ID, b.Boot)]++; b.Outcome == "" {
			t.Errorf("boot without an outcome: %+v", b)
		}
	}
	delete(begun, "")
	for k := range begun {
		if seen[k] != 1 {
			t.Errorf("%s is there %d times", k, seen[k])
		}
	}
}

func key(id string, boot int) string { return id + string(rune('0'+boot)) }

func TestTokenRenewalIsNoSecondBoot(t *testing.T) {
	boots, _ := logged(t, metrics.RunInfo{}, func(c *metrics.Collector) {
		l := born("x", "a", start).online("h", `{}`)
		play(c, l)
		if n := c.Progress(start).Stages[device.Online]; n != 1 {
			t.Errorf("%d online, want 1", n)
		}
		play(c, born("x", "a", start).online("h", `{}`).to(device.Joining, time.Hour).to(device.Online, time.Second).to(device.Off, 0))
		if n := c.Progress(start).Stages[device.Online]; n != 0 {
			t.Errorf("%d online, want 0", n)
		}
	})
	if len(boots) != 1 {
		t.Errorf("%d boots, want 1", len(boots))
	}
}

func TestMillis(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                              {"0.000", "0ms"},
		412 * time.Microsecond:         {"0.412", "412µs"},
		54 * time.Millisecond:          {"54.000", "54ms"},
		999600 * time.Microsecond:      {"999.600", "1.0s"},
		6140 * time.Millisecond:        {"6140.000", "6.1s"},
		59960 * time.Millisecond:       {"59960.000", "1m 00s"},
		415 * time.Second:              {"415000.000", "6m 55s"},
		100 * time.Minute:              {"6000000.000", "1h 40m"},
		-1500 * time.Microsecond:       {"-1.500", "-2ms"},
		time.Hour - time.Second/4:      {"3599750.000", "1h 00m"},
		24*time.Hour + time.Nanosecond: {"86400000.000", "24h 00m"},
	} {
		m := metrics.Millis(d)
		data, err := json.Marshal(m)
		if err != nil || string(data) != want[0] || m.String() != want[1] {
			t.Errorf("%v: %s, %s, %v; want %v", d, data, m, err, want)
		}
		var back metrics.Millis
		if err := json.Unmarshal(data, &back); err != nil || back.Duration() != d.Truncate(time.Microsecond) {
			t.Errorf("%s came back as %v, %v", data, back.Duration(), err)
		}
	}
	for _, bad := range []string{`"1"`, `1e30`, `true`} {
		if err := json.NewDecoder(bytes.NewReader([]byte(bad))).Decode(new(metrics.Millis)); err == nil {
			t.Errorf("%s was taken for milliseconds", bad)
		}
	}
}

// A device that loses its connection while it polls counts on.
func TestPollsAreThoseOfTheWholeBoot(t *testing.T) {
	polls := func(n int) func(*device.Event) { return func(e *device.Event) { e.Polls = n } }
	boots, _ := logged(t, metrics.RunInfo{}, func(c *metrics.Collector) {
		play(c, born("f", "a", start).registering().
			to(device.Waiting, time.Second, polls(2)).to(device.Registering, time.Second).to(device.Assigning, time.Second).
			to(device.Off, time.Second, assignedTo("h", "a"), polls(3)))
	})
	if boots[0].Polls != 3 || boots[0].Retries != 1 {
		t.Errorf("%d polls, %d retries; want 3, 1", boots[0].Polls, boots[0].Retries)
	}
}
