package scenarios_test

import (
	"context"
	"fmt"
	"log"

	"dpsfleet/scenarios"
)

// A whole run inside the process, as a test of one's own would have it.
func ExampleRun() {
	s, err := scenarios.Read("mine.yaml", []byte(`
name: mine
cloud:
  linkedHubs: [contoso-toasters-hub-1098.azure-devices.net]
  enrollmentGroups:
    contoso-custom-allocated-devices: {policy: contoso}
  answers: {register: 0s, allocate: 0s, retryAfter: 1s}
fleets:
  toasters: {model: toaster, count: 20, expect: {hub: "*-toasters-*", tags: {deviceType: toaster}}}
`), nil)
	if err != nil {
		log.Fatal(err)
	}
	report, err := scenarios.Run(context.Background(), s, scenarios.Env{Network: scenarios.NetworkMemory})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Verdict(), report.Due, report.Accounted, report.ExitCode())
	// Output: PASS  VALID 20 20 0
}

// What is wrong with a scenario is said all at once.
func ExampleRead() {
	_, err := scenarios.Read("bad.yaml", []byte(`name: bad
cloud: {linkedHubs: [hub.azure-devices.net]}
fleets:
  toasters: {model: toster, count: 0}
`), nil)
	fmt.Println(err)
	// Output:
	// bad.yaml:4:21: fleets.toasters.model: there is no model "toster"; was "toaster" meant?
	// bad.yaml:4:36: fleets.toasters.count: must be at least 1
}
