package emulator_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"dpsfleet/provisioning"
)

// A device that was placed may join its hub at once, and its next registration is
// no first one.
func TestPlacedDeviceHasAnEarlierLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		w := startIn(t, cfg)
		defer w.close()
		group := cfg.Enrollments[0].EnrollmentGroupID
		if err := w.cloud.Place(group, toaster, heatpumpsHub); err != nil {
			t.Fatal(err)
		}
		if twin, known := w.cloud.Twin(heatpumpsHub, toaster); !known || twin.Desired == nil {
			t.Errorf("the hub knows it: %t, %+v", known, twin)
		}
		if state, known := w.cloud.Registration(toaster); !known || state.Status != provisioning.Assigned || state.AssignedHub != heatpumpsHub {
			t.Errorf("DPS knows it as %+v", state)
		}
		if err := w.cloud.Place(group, toaster, toastersHub); err != nil {
			t.Fatal(err)
		}
		if _, moved := w.cloud.Twin(toastersHub, toaster); moved {
			t.Error("who has a place does not get another")
		}
		if told := w.provisioned(toaster, key(t, toasterKey)); told.State.AssignedHub != toastersHub || told.State.Substatus != provisioning.DeviceDataMigrated {
			t.Errorf("it was told %+v", told.State)
		}
		asked := w.recorded(provisioning.ExchangeAllocate)[0]
		contains(t, "the request", string(asked.Asked), `"currentIotHubHostName":"`+heatpumpsHub+`"`)
	})
}

func TestPlaceNeedsAHubAndAnEnrollment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		w := startIn(t, cfg)
		defer w.close()
		for says, place := range map[string][2]string{
			"not linked":    {cfg.Enrollments[0].EnrollmentGroupID, "other.azure-devices.net"},
			"no enrollment": {"nobody", toastersHub},
		} {
			if err := w.cloud.Place(place[0], toaster, place[1]); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want something with %q", err, says)
			}
		}
	})
}
