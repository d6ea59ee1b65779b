package emulator_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// policy is the tutorial's group with an allocation policy that asks no webhook.
func policy(t testing.TB, p provisioning.AllocationPolicy, hubs map[string]emulator.LinkedHub) emulator.Config {
	cfg := quick(t, emulator.NoQuotas)
	cfg.Enrollments[0].Allocation, cfg.Hubs = p, hubs
	return cfg
}

// boots registers a device with a payload and returns how it ended.
func (w *world) boots(id, payload string) operation {
	w.t.Helper()
	c := w.device(id)
	defer c.nc.Close()
	c.ask(1, registerTopic, payload)
	state, _ := w.cloud.Registration(id)
	var last operation
	last.Status = string(state.Status)
	last.State.AssignedHub, last.State.Substatus = state.AssignedHub, state.Substatus
	return last
}

func TestTheNearestHubGetsTheDevice(t *testing.T) {
	near, far := emulator.Exactly(20*time.Millisecond), emulator.Exactly(90*time.Millisecond)
	hubs := map[string]emulator.LinkedHub{
		toastersHub:  {Latency: map[string]emulator.Span{"westeurope": near, "eastus": far, "between": far}},
		heatpumpsHub: {Latency: map[string]emulator.Span{"westeurope": far, "eastus": near, "between": far, "japan": far}},
	}
	tests := []struct {
		name, payload string
		hub           string // empty: either, by hashing
	}{
		{"near one hub", `{"payload":{"region":"westeurope"}}`, toastersHub},
		{"near the other", `{"payload":{"model":"x","region":"eastus"}}`, heatpumpsHub},
		{"known to one hub only", `{"payload":{"region":"japan"}}`, heatpumpsHub},
		{"as near to both", `{"payload":{"region":"between"}}`, ""},
		{"of a region that nobody knows", `{"payload":{"region":"moon"}}`, ""},
		{"that says no region", `{"payload":{"region":7}}`, ""},
		{"without a payload", ``, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, policy(t, provisioning.AllocateGeoLatency, hubs))
				defer w.close()
				landed := map[string]int{}
				for i := range 20 {
					landed[w.boots(room(i), test.payload).State.AssignedHub]++
				}
				if test.hub != "" && landed[test.hub] != 20 || test.hub == "" && len(landed) != 2 {
					t.Errorf("20 devices landed on %v, want %q", landed, test.hub)
				}
			})
		})
	}
}

// TestHashingKeepsToTheWeights compares shares with the weights: 3,000 devices
// over 1 to 2 to 3, each within four standard deviations.
func TestHashingKeepsToTheWeights(t *testing.T) {
	const devices = 3000
	synctest.Test(t, func(t *testing.T) {
		weights := map[string]int{"a.example": 1, "b.example": 2, "c.example": 3}
		hubs := map[string]emulator.LinkedHub{}
		for name, weight := range weights {
			hubs[strings.ToUpper(name)] = emulator.LinkedHub{AllocationWeight: weight}
		}
		cfg := policy(t, provisioning.AllocateHashed, hubs)
		cfg.LinkedHubs = []string{"a.example", "b.example", "c.example"}
		w := startIn(t, cfg)
		defer w.close()
		landed := map[string]int{}
		for i := range devices {
			landed[w.boots(room(i), "").State.AssignedHub]++
		}
		for name, weight := range weights {
			share := float64(weight) / 6
			if off := math.Abs(float64(landed[name]) - share*devices); off > 4*math.Sqrt(devices*share*(1-share)) {
				t.Errorf("%s has %d of %d devices, its weight is %d of 6", name, landed[name], devices, weight)
			}
		}
	})
}

// TestAHubThatGrowsTakesFromOthersOnly: with more weight for one hub the devices
// that do not go there stay.
func TestAHubThatGrowsTakesFromOthersOnly(t *testing.T) {
	land := func(weight int) map[string]string {
		landed := map[string]string{}
		synctest.Test(t, func(t *testing.T) {
			cfg := policy(t, provisioning.AllocateHashed, map[string]emulator.LinkedHub{"c.example": {AllocationWeight: weight}})
			cfg.LinkedHubs = []string{"a.example", "b.example", "c.example"}
			w := startIn(t, cfg)
			defer w.close()
			for i := range 300 {
				landed[room(i)] = w.boots(room(i), "").State.AssignedHub
			}
		})
		return landed
	}
	before, after := land(1), land(3)
	for id, hub := range after {
		if hub != before[id] && hub != "c.example" {
			t.Errorf("%s moved from %s to %s, which did not grow", id, before[id], hub)
		}
	}
}

// TestAStaleHubKeyFailsAfterAMinute is what azure-iot-sdk-c issues 1789 and 2362
// show.
func TestAStaleHubKeyFailsAfterAMinute(t *testing.T) {
	tests := []struct {
		wait emulator.Span
		code provisioning.Code
		told time.Duration
		want int
	}{
		{told: 60 * time.Second, want: 401002},
		{wait: emulator.Exactly(5 * time.Second), code: 400027, told: 6 * time.Second, want: 400027},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			cfg := policy(t, provisioning.AllocateStatic, map[string]emulator.LinkedHub{toastersHub: {Unauthorized: true}})
			cfg.Undocumented.StaleHubWait, cfg.Undocumented.StaleHubCode = test.wait, test.code
			w := startIn(t, cfg)
			defer w.close()
			c := w.device(toaster)
			defer c.nc.Close()
			start := time.Now()
			last, pending := c.verdict(t, c.register(t))
			if took := time.Since(start); took != test.told || pending != int(test.told/(3*time.Second))-1 {
				t.Errorf("told after %s and %d polls, want %s", took, pending, test.told)
			}
			if last.Status != "failed" || last.State.ErrorCode != test.want || last.State.AssignedHub != "" {
				t.Errorf("the device ended as %+v", last)
			}
			contains(t, "the message", last.State.ErrorMessage, `{"Message":"ErrorCode:IotHubUnauthorizedAccess;Unauthorized","ExceptionMessage":"Tracking ID:`)
			if _, there := w.cloud.Twin(toastersHub, toaster); there {
				t.Error("the device is at a hub that DPS has no key for")
			}
		})
	}
}

// TestAtMost256WebhookCallsAtOnce: the rest waits, and a limit of one's own
// holds too.
func TestAtMost256WebhookCallsAtOnce(t *testing.T) {
	tests := []struct{ limit, devices, most int }{{0, 300, 256}, {7, 20, 7}}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.limit), func(t *testing.T) {
			if raceEnabled && test.devices > 50 {
				t.Skip("more devices in a bubble crash the race detector (golang/go#78156)")
			}
			synctest.Test(t, func(t *testing.T) {
				cfg, fast := hooked(t), emulator.Fast()
				cfg.Answers, cfg.WebhookCalls = &fast, test.limit
				w := startIn(t, cfg)
				var gauge calls
				defer w.hook(hookAddress, gauge.slow(answering(200, `{"iotHubHostName":"`+toastersHub+`"}`)))()
				defer w.close()
				for i := range test.devices {
					c := w.device(room(i))
					defer c.nc.Close()
					c.register(t)
				}
				time.Sleep(time.Minute)
				if most := gauge.most.Load(); most != int64(test.most) {
					t.Errorf("%d calls at once, want %d", most, test.most)
				}
				if n := w.cloud.Totals().Assigned; n != int64(test.devices) {
					t.Errorf("%d of %d devices were assigned", n, test.devices)
				}
			})
		})
	}
}

// calls counts the calls of a webhook that run at once.
type calls struct{ now, most atomic.Int64 }

// slow is a webhook that takes a second.
func (k *calls) slow(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := k.now.Add(1)
		defer k.now.Add(-1)
		for most := k.most.Load(); now > most && !k.most.CompareAndSwap(most, now); most = k.most.Load() {
		}
		time.Sleep(time.Second)
		next(w, r)
	}
}
