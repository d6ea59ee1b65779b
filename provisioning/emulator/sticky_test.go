package emulator_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// DPS tells the webhook where a device that comes back is, which is all that a
// sticky rule goes by.
func TestAStickyRuleLeavesADeviceWhereItIs(t *testing.T) {
	for sticky, want := range map[bool]string{true: toastersHub, false: heatpumpsHub} {
		t.Run(fmt.Sprint(sticky), func(t *testing.T) {
			policy, err := allocation.ParsePolicy(fmt.Appendf(nil, `{"rules": [
				{"when": {"payload": {"firmware": {"version": "<2"}}}, "hub": %q},
				{"hub": {"suffix": ".azure-devices.net", "pick": "last"}, "sticky": %t}
			]}`, toastersHub, sticky))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				cfg := contoso(t)
				cfg.Enrollments[0].Policy = &policy
				cfg.Enrollments[0].Reprovision = &provisioning.ReprovisionPolicy{UpdateHubAssignment: true, MigrateDeviceData: true}
				w := startIn(t, cfg)
				defer w.close()
				w.lands(t, "1.9", toastersHub)
				w.lands(t, "2.0", want)
			})
		})
	}
}

// lands registers the toaster with a firmware and looks where it is then.
func (w *world) lands(t *testing.T, firmware, hub string) {
	t.Helper()
	c := w.device(toaster)
	defer c.nc.Close()
	c.ask(1, registerTopic, `{"payload":{"firmware":"`+firmware+`"}}`)
	time.Sleep(10 * time.Second)
	if state, _ := w.cloud.Registration(toaster); state.AssignedHub != hub {
		t.Errorf("with firmware %s it is %s at %q, want %s", firmware, state.Status, state.AssignedHub, hub)
	}
}
