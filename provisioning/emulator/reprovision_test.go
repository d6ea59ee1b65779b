package emulator_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"dpsfleet/provisioning"
)

func TestReprovisioning(t *testing.T) {
	tests := []struct {
		name      string
		policy    *provisioning.ReprovisionPolicy
		second    string // the hub that the webhook names on the second registration
		hub       string
		substatus string
		twin      string
	}{
		{"same hub keeps the twin", nil, toastersHub, toastersHub, "initialAssignment", `{"first":true,"since":1}`},
		{"another hub takes the twin along", nil, heatpumpsHub, heatpumpsHub, "deviceDataMigrated", `{"first":true,"since":1}`},
		{"another hub resets the twin", &provisioning.ReprovisionPolicy{UpdateHubAssignment: true}, heatpumpsHub, heatpumpsHub, "deviceDataReset", `{"second":true}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := hooked(t)
				cfg.Enrollments[0].Reprovision = test.policy
				w := startIn(t, cfg)
				answer := func(hub, desired string) string {
					return fmt.Sprintf(`{"iotHubHostName":%q,"initialTwin":{"properties":{"desired":%s}}}`, hub, desired)
				}
				stop := w.hook(hookAddress, answering(200, answer(toastersHub, `{"first":true}`)))
				first := w.provisioned(toaster, key(t, toasterKey))
				stop()
				if first.State.Substatus != "initialAssignment" {
					t.Errorf("the first substatus is %q", first.State.Substatus)
				}
				if _, err := w.cloud.PatchDesired(toastersHub, toaster, []byte(`{"since":1}`)); err != nil {
					t.Fatal(err)
				}
				defer w.hook(hookAddress, answering(200, answer(test.second, `{"second":true}`)))()
				defer w.close()
				last := w.provisioned(toaster, key(t, toasterKey))
				if last.State.AssignedHub != test.hub || last.State.Substatus != test.substatus {
					t.Errorf("the device ended as %+v", last)
				}
				if twin, _ := w.cloud.Twin(test.hub, toaster); string(twin.Desired) != test.twin {
					t.Errorf("desired = %s, want %s", twin.Desired, test.twin)
				}
				if _, there := w.cloud.Twin(toastersHub, toaster); there != (test.hub == toastersHub) {
					t.Errorf("the first hub has the device: %v", there)
				}
				asked := w.recorded(provisioning.ExchangeAllocate)[1]
				contains(t, "the second request", string(asked.Asked), `"currentIotHubHostName":"`+toastersHub+`","currentDeviceId":"`+toaster+`"`)
			})
		})
	}
}

func TestNeverReprovisionOffersTheCurrentHubOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		cfg.Enrollments[0].Reprovision = &provisioning.ReprovisionPolicy{}
		w := startIn(t, cfg)
		defer w.close()
		for range 2 {
			w.provisioned(toaster, key(t, toasterKey))
		}
		asked := w.recorded(provisioning.ExchangeAllocate)[1]
		contains(t, "the second request", string(asked.Asked), `"linkedHubs":["`+toastersHub+`"]`)
	})
}
