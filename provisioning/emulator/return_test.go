package emulator_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"dpsfleet/provisioning"
)

// reports connects a device to its hub and patches its reported properties.
func (w *world) reports(id, hub, patch string) {
	w.t.Helper()
	c := w.wire()
	defer c.nc.Close()
	password := token(key(w.t, toasterKey), hub+"/devices/"+id, time.Hour)
	if code := c.connect(connectPacket(id, hub+"/"+id+"/?api-version=2021-04-12", password)); code != 0 {
		w.t.Fatalf("%s answered CONNACK %d", hub, code)
	}
	c.subscribe(0, "$iothub/twin/res/#")
	c.publish(0, "$iothub/twin/PATCH/properties/reported/?$rid=1", patch)
	if p, ok := c.read().(*packets.PublishPacket); !ok || p.TopicName != "$iothub/twin/res/204/?$rid=1&$version=2" {
		w.t.Fatalf("the patch was answered %v", p)
	}
}

// TestATwinMovesWholeOrNotAtAll looks at desired, reported and tags, and where
// the device can connect afterwards.
func TestATwinMovesWholeOrNotAtAll(t *testing.T) {
	tests := []struct {
		name                    string
		policy                  *provisioning.ReprovisionPolicy
		substatus               string
		desired, reported, tags string
	}{
		{"migrate", &provisioning.ReprovisionPolicy{UpdateHubAssignment: true, MigrateDeviceData: true},
			"deviceDataMigrated", `{"since":1}`, `{"seen":2}`, `{"at":"` + toastersHub + `"}`},
		{"reset", &provisioning.ReprovisionPolicy{UpdateHubAssignment: true},
			"deviceDataReset", `{}`, `{}`, `{"at":"` + heatpumpsHub + `"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := hooked(t)
				cfg.Enrollments[0].Reprovision = test.policy
				w := startIn(t, cfg)
				defer w.close()
				if last := w.sent(toastersHub); last.State.Substatus != "initialAssignment" {
					t.Errorf("the first assignment ended as %+v", last)
				}
				w.reports(toaster, toastersHub, `{"seen":2}`)
				if _, err := w.cloud.PatchDesired(toastersHub, toaster, []byte(`{"since":1}`)); err != nil {
					t.Fatal(err)
				}
				if last := w.sent(heatpumpsHub); last.State.Substatus != test.substatus || last.State.AssignedHub != heatpumpsHub {
					t.Errorf("the second assignment ended as %+v", last)
				}
				twin, _ := w.cloud.Twin(heatpumpsHub, toaster)
				if string(twin.Desired) != test.desired || string(twin.Reported) != test.reported || string(twin.Tags) != test.tags {
					t.Errorf("the twin is %s %s %s, want %s %s %s", twin.Desired, twin.Reported, twin.Tags, test.desired, test.reported, test.tags)
				}
				if _, there := w.cloud.Twin(toastersHub, toaster); there {
					t.Error("the first hub still has the device")
				}
			})
		})
	}
}

// sent registers the toaster while the webhook sends every device to hub, with
// the hub's name among the tags.
func (w *world) sent(hub string) operation {
	w.t.Helper()
	defer w.hook(hookAddress, answering(200, fmt.Sprintf(`{"iotHubHostName":%q,"initialTwin":{"tags":{"at":%q}}}`, hub, hub)))()
	return w.provisioned(toaster, key(w.t, toasterKey))
}

// TestADeviceThatComesBack is sent to one hub, to another and to the first again.
func TestADeviceThatComesBack(t *testing.T) {
	for setting, want := range map[string]string{
		"":                   "reprovisionedToInitialAssignment",
		"policy":             "deviceDataMigrated",
		"deviceDataReturned": "deviceDataReturned",
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := hooked(t)
			cfg.Undocumented.ReturnedSubstatus = setting
			w := startIn(t, cfg)
			defer w.close()
			w.sent(toastersHub)
			w.reports(toaster, toastersHub, `{"seen":2}`)
			w.sent(heatpumpsHub)
			last := w.sent(toastersHub)
			if last.State.Substatus != want || last.State.AssignedHub != toastersHub {
				t.Errorf("with %q it came back as %+v, want %s", setting, last, want)
			}
			if twin, _ := w.cloud.Twin(toastersHub, toaster); string(twin.Reported) != `{"seen":2}` {
				t.Errorf("what it reported is %s", twin.Reported)
			}
		})
	}
}

// TestADeletedRegistrationIsTheFirstAgain: neither the assignment nor an
// allocation that runs outlives it. The device at the hub is another record.
func TestADeletedRegistrationIsTheFirstAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, hooked(t))
		defer w.close()
		w.sent(toastersHub)
		w.sent(heatpumpsHub)
		if !w.cloud.DeleteRegistration("BREAKROOM499-contoso-tstrsd-007") {
			t.Fatal("there was nothing to delete")
		}
		if _, known := w.cloud.Registration(toaster); known || w.cloud.DeleteRegistration(toaster) {
			t.Error("the registration is still there")
		}
		if _, there := w.cloud.Twin(heatpumpsHub, toaster); !there {
			t.Error("the hub lost the device")
		}
		if last := w.sent(toastersHub); last.State.Substatus != "initialAssignment" {
			t.Errorf("the next registration ended as %+v", last)
		}
		asked := w.recorded(provisioning.ExchangeAllocate)
		if last := string(asked[len(asked)-1].Asked); last == "" || strings.Contains(last, "currentIotHubHostName") {
			t.Errorf("the webhook was asked %s", last)
		}
	})
}

func TestDeletingARegistrationGivesUpItsAllocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, hooked(t))
		defer w.hook(hookAddress, answering(503, ""))()
		defer w.close()
		c := w.device(toaster)
		defer c.nc.Close()
		id := c.register(t)
		synctest.Wait()
		w.cloud.DeleteRegistration(toaster)
		time.Sleep(10 * time.Minute)
		if n := len(w.recorded(provisioning.ExchangeAllocate)); n != 1 {
			t.Errorf("%d calls of the webhook, want the one before", n)
		}
		checkRefusal(t, c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId="+id, ""), "404 404203 Operation not found.")
	})
}
