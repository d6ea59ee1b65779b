package emulator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

func individual(id string, k provisioning.Key) emulator.Enrollment {
	return emulator.Enrollment{Enrollment: provisioning.Enrollment{
		RegistrationID: id,
		DeviceID:       "kitchen-toaster",
		Attestation:    provisioning.Attestation{SymmetricKey: &provisioning.SymmetricKey{Primary: k}},
		Allocation:     provisioning.AllocateStatic,
		IoTHubHostName: heatpumpsHub,
		InitialTwin:    &provisioning.InitialTwin{Tags: json.RawMessage(`{"own":true}`)},
	}}
}

// provisioned registers a device with a key of its own and waits for the
// verdict.
func (w *world) provisioned(id string, k provisioning.Key) operation {
	w.t.Helper()
	c := w.wire()
	defer c.nc.Close()
	if code := c.connect(connectPacket(id, userName(id), token(k, scope+"/registrations/"+id, time.Hour))); code != 0 {
		w.t.Fatalf("CONNACK %d", code)
	}
	c.subscribe(1, answerFilter)
	last, _ := c.verdict(w.t, c.register(w.t))
	return last
}

func TestAnIndividualEnrollmentComesBeforeTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := provisioning.NewKey()
		cfg := contoso(t)
		cfg.Enrollments = append(cfg.Enrollments, individual(strings.ToUpper(toaster), own))
		w := startIn(t, cfg)
		defer w.close()
		last := w.provisioned(toaster, own)
		if last.State.AssignedHub != heatpumpsHub || last.State.DeviceID != "kitchen-toaster" {
			t.Errorf("the device ended as %+v, not as its own enrollment has it", last)
		}
		twin, _ := w.cloud.Twin(heatpumpsHub, "kitchen-toaster")
		if string(twin.Tags) != `{"own":true}` {
			t.Errorf("tags = %s", twin.Tags)
		}
		c := w.device(toaster) // with the key of the group
		defer c.nc.Close()
		checkRefusal(t, c.ask(1, registerTopic, ""), "401 401000 Unauthorized")
	})
}

func TestADisabledIndividualEnrollmentShutsItsDeviceOut(t *testing.T) {
	derived := key(t, toasterKey)
	tests := []struct {
		name     string
		settings emulator.Undocumented
		key      provisioning.Key
		answers  []string // topic and status of each
	}{
		{"told by the first poll", emulator.Undocumented{}, derived, []string{"202 assigning", "200 disabled"}},
		{"told at once", emulator.Undocumented{DisabledAtRegister: true}, derived, []string{"200 disabled"}},
		{"wrong key first", emulator.Undocumented{}, provisioning.Key("a key that is not the device's"), []string{"401 "}},
		{"state first", emulator.Undocumented{DisabledBeforeKey: true}, provisioning.Key("a key that is not the device's"), []string{"202 assigning", "200 disabled"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := contoso(t)
				cfg.Undocumented = test.settings
				shut := individual(toaster, derived)
				shut.Provisioning = provisioning.ProvisioningDisabled
				cfg.Enrollments = append(cfg.Enrollments, shut)
				w := startIn(t, cfg)
				defer w.close()
				c := w.wire()
				defer c.nc.Close()
				c.connect(connectPacket(toaster, userName(toaster), token(test.key, scope+"/registrations/"+toaster, time.Hour)))
				c.subscribe(1, answerFilter)
				topic := registerTopic
				for _, want := range test.answers {
					answer := c.ask(1, topic, "")
					var op operation
					if err := json.Unmarshal(answer.Payload, &op); err != nil {
						t.Fatal(err)
					}
					if got := strings.Split(answer.TopicName, "/")[3] + " " + op.Status; got != want {
						t.Fatalf("answered %s, want %s: %s", got, want, answer.Payload)
					}
					topic = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=" + op.OperationID
				}
				if calls := w.cloud.Totals().WebhookCalls; calls != 0 {
					t.Errorf("the webhook was asked %d times", calls)
				}
			})
		})
	}
}

func TestKeysOfAnEnrollment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		cfg.Enrollments[0] = static(t)
		second := static(t)
		second.EnrollmentGroupID, second.Attestation.SymmetricKey = "second", nil
		cfg.Enrollments = append(cfg.Enrollments, second)
		w := startIn(t, cfg)
		defer w.close()
		if k, ok := w.cloud.Key(groupID); !ok || k.Base64() != tutorialKey {
			t.Error("Key is not the key that was given")
		}
		for _, e := range w.cloud.Enrollments() {
			pair := e.Attestation.SymmetricKey
			if len(pair.Secondary) != 64 || e.EnrollmentGroupID == "second" && len(pair.Primary) != 64 {
				t.Errorf("enrollment %s got keys of %d and %d bytes, want 64", e.ID(), len(pair.Primary), len(pair.Secondary))
			}
			if last := w.provisioned(toaster, pair.Primary.Derive(toaster)); last.Status != "assigned" {
				t.Errorf("the primary key of %s ended in %+v", e.ID(), last)
			}
			if last := w.provisioned(toaster, pair.Secondary.Derive(toaster)); last.Status != "assigned" {
				t.Errorf("the secondary key of %s ended in %+v", e.ID(), last)
			}
		}
	})
}

func TestHashedSpreadsAndStaysPut(t *testing.T) {
	hubs := []string{"a.azure-devices.net", "b.azure-devices.net", "c.azure-devices.net", "d.azure-devices.net"}
	const devices = 400
	allocated := func(hubs []string) map[string]string {
		where := map[string]string{}
		synctest.Test(t, func(t *testing.T) {
			e, fast := static(t), emulator.Fast()
			e.Allocation = ""
			w := startIn(t, emulator.Config{LinkedHubs: hubs, Enrollments: []emulator.Enrollment{e}, Answers: &fast})
			defer w.close()
			for i := range devices {
				id := fmt.Sprintf("device-%d", i)
				where[id] = w.provisioned(id, key(t, tutorialKey).Derive(id)).State.AssignedHub
			}
		})
		return where
	}
	before, after := allocated(hubs[:3]), allocated(hubs)
	count, moved := map[string]int{}, 0
	for id, hub := range after {
		count[hub]++
		if before[id] != hub {
			moved++
			if hub != hubs[3] {
				t.Errorf("%s moved to %s, which is not the new hub", id, hub)
			}
		}
	}
	for _, hub := range hubs {
		if n := count[hub]; n < devices/4*2/3 || n > devices/4*4/3 {
			t.Errorf("%s got %d of %d devices", hub, n, devices)
		}
	}
	if moved != count[hubs[3]] {
		t.Errorf("%d moved, %d are at the new hub", moved, count[hubs[3]])
	}
}

// TestAnIndividualEnrollmentsWebhook is asked with the record of the device in
// the place of the group's, without its key and its initial twin.
func TestAnIndividualEnrollmentsWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, cfg := provisioning.NewKey(), hooked(t)
		e := individual(toaster, own)
		e.Allocation, e.CustomAllocation = "", cfg.Enrollments[0].CustomAllocation
		cfg.Enrollments = []emulator.Enrollment{e}
		w := startIn(t, cfg)
		defer w.hook(hookAddress, answering(200, `{"iotHubHostName":"`+strings.ToUpper(toastersHub)+`"}`))()
		defer w.close()
		if last := w.provisioned(toaster, own); last.State.AssignedHub != toastersHub {
			t.Errorf("assigned to %q; host names know no case", last.State.AssignedHub)
		}
		if twin, _ := w.cloud.Twin(toastersHub, "kitchen-toaster"); string(twin.Tags) != `{"own":true}` {
			t.Errorf("tags = %s, want the enrollment's: the webhook named no twin", twin.Tags)
		}
		asked := string(w.recorded(provisioning.ExchangeAllocate)[0].Asked)
		contains(t, "the request", asked, `{"individualEnrollment":{"registrationId":"`+toaster+`","deviceId":"kitchen-toaster","attestation":{"type":"symmetricKey"},`)
		for _, hidden := range []string{own.Base64(), "initialTwin", "enrollmentGroup", "secret"} {
			if strings.Contains(asked, hidden) {
				t.Errorf("the request holds %s: %s", hidden, asked)
			}
		}
	})
}

func TestAHubRefusesTheWebhooksTwin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, hooked(t))
		defer w.hook(hookAddress, answering(200, `{"iotHubHostName":"`+toastersHub+`","initialTwin":{"tags":{"$x":1}}}`))()
		defer w.close()
		if last := w.provisioned(toaster, key(t, toasterKey)); last.Status != "failed" || last.State.ErrorCode != 400207 {
			t.Errorf("the device ended as %+v", last)
		}
		if _, there := w.cloud.Twin(toastersHub, toaster); there {
			t.Error("the device is at the hub")
		}
	})
}
