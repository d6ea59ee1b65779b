package emulator_test

import (
	"encoding/json"
	"testing"

	"dpsfleet/provisioning/emulator"
)

// BenchmarkObserve is the register cycle with and without keeping what the cloud
// saw, side by side.
func BenchmarkObserve(b *testing.B) {
	for name, off := range map[string]bool{"kept": false, "off": true} {
		b.Run(name, func(b *testing.B) {
			cfg, fast := contoso(b), emulator.Fast()
			cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(b)}
			cfg.Observe.Off = off
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
		})
	}
}
