package emulator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// quick is the static group with answers at once, under quotas.
func quick(t testing.TB, quotas emulator.Quotas) emulator.Config {
	cfg, fast := contoso(t), emulator.Fast()
	cfg.Answers, cfg.Quotas = &fast, quotas
	cfg.Enrollments = []emulator.Enrollment{static(t)}
	return cfg
}

// asked sends a registration and tells the answer's topic without the $rid, with
// the code in it: "202 3", "429 60 429001".
func (c *wire) asked(topic string) string {
	c.t.Helper()
	answer := c.ask(1, topic, "")
	told, _ := strings.CutPrefix(answer.TopicName, "$dps/registrations/res/")
	status, rest, _ := strings.Cut(told, "/?$rid=1")
	var body struct {
		ErrorCode  int
		TrackingID *string
	}
	if err := json.Unmarshal(answer.Payload, &body); err != nil {
		c.t.Fatal(err)
	}
	if body.ErrorCode == 429001 && (body.TrackingID == nil || *body.TrackingID != "") {
		c.t.Errorf("the service's answer has an empty tracking id: %s", answer.Payload)
	}
	return strings.TrimSpace(fmt.Sprint(status, " ", strings.TrimPrefix(rest, "&retry-after=")))
}

func (c *wire) poll(operationID string) string {
	c.t.Helper()
	return c.asked("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=" + operationID)
}

func room(i int) string { return fmt.Sprintf("room%d-contoso-tstrsd-007", i) }

// TestRegistrationsOverTheQuotaAreTurnedAway has a quota of 10 a minute. The
// times after the start are those of the registrations.
func TestRegistrationsOverTheQuotaAreTurnedAway(t *testing.T) {
	with := func(change func(*emulator.Undocumented)) func(*emulator.Undocumented) { return change }
	tests := []struct {
		name  string
		set   func(*emulator.Undocumented)
		after map[time.Duration]string // the answer to the next registration
		order []time.Duration
	}{
		{"in a window", with(func(*emulator.Undocumented) {}), map[time.Duration]string{
			0: "429 60", 200 * time.Millisecond: "429 60", 59 * time.Second: "429 1", 60 * time.Second: "202 0",
		}, []time.Duration{0, 200 * time.Millisecond, 59 * time.Second, 60 * time.Second}},
		{"by a bucket", with(func(u *emulator.Undocumented) { u.QuotaMeter = "bucket" }), map[time.Duration]string{
			0: "429 6", 5500 * time.Millisecond: "429 1", 6 * time.Second: "202 0", 7 * time.Second: "429 5",
		}, []time.Duration{0, 5500 * time.Millisecond, 6 * time.Second, 7 * time.Second}},
		{"with a pause of its own", with(func(u *emulator.Undocumented) { u.ThrottleRetryAfter = emulator.Exactly(5 * time.Second) }),
			map[time.Duration]string{0: "429 5"}, []time.Duration{0}},
		{"without a pause", with(func(u *emulator.Undocumented) { u.ThrottleWithoutRetryAfter = true }),
			map[time.Duration]string{0: "429"}, []time.Duration{0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick(t, 0.01)
				test.set(&cfg.Undocumented)
				w := startIn(t, cfg)
				defer w.close()
				start := time.Now()
				for i := range 10 {
					c := w.device(room(i))
					defer c.nc.Close()
					if got := c.asked(registerTopic); got != "202 0" {
						t.Errorf("registration %d was answered %s", i, got)
					}
				}
				c := w.device(toaster)
				defer c.nc.Close()
				for _, at := range test.order {
					time.Sleep(time.Until(start.Add(at)))
					if got := c.asked(registerTopic); got != test.after[at] {
						t.Errorf("after %s it was answered %s, want %s", at, got, test.after[at])
					}
				}
				if n := w.cloud.Totals().Throttled; n == 0 {
					t.Error("the totals have none throttled")
				}
			})
		})
	}
}

// TestPollsHaveAQuotaOfTheirOwn: five in ten seconds, each device by itself, and
// no registration of it is held up.
func TestPollsHaveAQuotaOfTheirOwn(t *testing.T) {
	for _, quotas := range []emulator.Quotas{emulator.RealQuotas, 10} {
		synctest.Test(t, func(t *testing.T) {
			cfg := quick(t, quotas)
			cfg.Answers.Allocate = emulator.Exactly(time.Hour)
			w := startIn(t, cfg)
			defer w.close()
			c, other := w.device(toaster), w.device(room(1))
			defer c.nc.Close()
			defer other.nc.Close()
			id, otherID := c.register(t), other.register(t)
			for i := range 5 {
				if got := c.poll(id); got != "202 0" {
					t.Errorf("poll %d was answered %s", i, got)
				}
				time.Sleep(time.Second)
			}
			if got := c.poll(id); got != "429 5" {
				t.Errorf("the sixth poll was answered %s, want 429 and the rest of ten seconds", got)
			}
			if got := other.poll(otherID); got != "202 0" {
				t.Errorf("another device's poll was answered %s", got)
			}
			if got := c.asked(registerTopic); got != "202 0" {
				t.Errorf("a registration was answered %s", got)
			}
		})
	}
}

// TestRefusalsUseUpNoQuota: a stranger cannot shut others out.
func TestRefusalsUseUpNoQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, quick(t, 0.001))
		defer w.close()
		for range 3 {
			c := w.wire()
			c.connect(connectPacket(toaster, userName(toaster), token(provisioning.NewKey(), scope+"/registrations/"+toaster, time.Hour)))
			c.subscribe(1, answerFilter)
			if got := c.asked(registerTopic); got != "401" {
				t.Errorf("answered %s", got)
			}
			c.nc.Close()
		}
		c := w.device(toaster)
		defer c.nc.Close()
		c.register(t)
	})
}

// TestTheRegistrationQuotaIsTheDocumented counts what gets in at once.
func TestTheRegistrationQuotaIsTheDocumented(t *testing.T) {
	tests := []struct {
		quotas emulator.Quotas
		let    int
	}{{emulator.NoQuotas, 1200}, {emulator.RealQuotas, 1000}, {0.05, 50}}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := startIn(t, quick(t, test.quotas))
			defer w.close()
			c := w.device(toaster)
			defer c.nc.Close()
			let := 0
			for range 1200 {
				if strings.HasPrefix(c.asked(registerTopic), "202") {
					let++
				}
			}
			if let != test.let {
				t.Errorf("with quotas %s %d registrations got in at once, want %d", test.quotas, let, test.let)
			}
		})
	}
}

// TestAHubTakesSoManyNewDevices: DPS waits for the hub's registry, and the
// device hears assigning. One unit of S1 at a twentieth takes 5 a minute.
func TestAHubTakesSoManyNewDevices(t *testing.T) {
	tests := []struct {
		hub   emulator.LinkedHub
		waits time.Duration // of the eleventh device
	}{
		{emulator.LinkedHub{}, 2 * time.Minute},
		{emulator.LinkedHub{SKU: emulator.S1, Units: 2}, time.Minute},
		{emulator.LinkedHub{SKU: emulator.S3}, 0},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			cfg := quick(t, 0.05)
			cfg.Hubs = map[string]emulator.LinkedHub{toastersHub: test.hub}
			w := startIn(t, cfg)
			defer w.close()
			start := time.Now()
			var ids []string
			for i := range 11 {
				c := w.device(room(i))
				defer c.nc.Close()
				ids = append(ids, c.register(t))
			}
			last := w.device(room(10))
			defer last.nc.Close()
			if _, pending := last.verdict(t, ids[10]); pending == 0 && test.waits > 0 {
				t.Error("the eleventh device did not hear assigning")
			}
			took := time.Since(start)
			if took < test.waits || took > test.waits+3*time.Second {
				t.Errorf("the eleventh device of %+v was told after %s, want %s", test.hub, took, test.waits)
			}
		})
	}
}

// TestAHubQueuesConnectionsAndThenRefuses: at a hundredth, a hub of S1 takes one
// a second, and holds ten back.
func TestAHubQueuesConnectionsAndThenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, quick(t, 0.01))
		defer w.close()
		w.provisioned(toaster, key(t, toasterKey))
		password := token(key(t, toasterKey), toastersHub+"/devices/"+toaster, time.Hour)
		user := toastersHub + "/" + toaster + "/?api-version=2021-04-12"
		start := time.Now()
		var waiting []*wire
		for range 12 {
			c := w.wire()
			defer c.nc.Close()
			c.send(connectPacket(toaster, user, password))
			synctest.Wait()
			waiting = append(waiting, c)
		}
		refused := waiting[11]
		if code := refused.connack(); code != 3 || time.Since(start) != 0 {
			t.Errorf("the twelfth connection got CONNACK %d after %s, want 3 at once", code, time.Since(start))
		}
		for i, c := range waiting[:11] {
			if code := c.connack(); code != 0 || time.Since(start) != time.Duration(i)*time.Second {
				t.Errorf("connection %d got CONNACK %d after %s", i, code, time.Since(start))
			}
		}
		contains(t, "the log", w.log.String(), "429 ThrottlingException")
	})
}

func TestQuotasAreReadAndWritten(t *testing.T) {
	for _, text := range []string{"none", "real", "10x", "0.1x", "0.025x"} {
		q, err := emulator.ParseQuotas(text)
		if err != nil || q.String() != text {
			t.Errorf("%s is read as %s, %v", text, q, err)
		}
	}
	for _, text := range []string{"", "off", "x", "-1x", "0x", "NaNx", "Infx", "10", "1e9x", "10 x"} {
		if q, err := emulator.ParseQuotas(text); err == nil {
			t.Errorf("%q is read as %s", text, q)
		}
	}
}

func TestMistakesInHubsAndQuotas(t *testing.T) {
	cfg := contoso(t)
	cfg.Quotas = -1
	cfg.Undocumented.QuotaMeter = "leaky"
	cfg.Hubs = map[string]emulator.LinkedHub{
		"stranger.example": {},
		toastersHub:        {SKU: "F9"},
		heatpumpsHub:       {AllocationWeight: -1},
	}
	geo := static(t)
	geo.EnrollmentGroupID, geo.Allocation = "geo", provisioning.AllocateGeoLatency
	cfg.Enrollments = append(cfg.Enrollments, geo)
	err := errors.Join(cfg.Check(), nil)
	for _, part := range []string{"below zero", `"leaky"`, `"stranger.example" is described and not linked`, `"F9"`, "weight or units below zero", "none of its hubs has a latency"} {
		contains(t, "the error", fmt.Sprint(err), part)
	}
}

// connack waits for the answer to a CONNECT that was sent.
func (c *wire) connack() byte {
	c.t.Helper()
	ack, ok := c.read().(*packets.ConnackPacket)
	if !ok {
		c.t.Fatal("no CONNACK")
	}
	return ack.ReturnCode
}
