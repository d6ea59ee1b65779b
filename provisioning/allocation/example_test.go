package allocation_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"dpsfleet/provisioning/allocation"
)

// The tutorial's function, called as DPS calls it.
func Example() {
	server := httptest.NewServer(allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso()}))
	defer server.Close()

	id := "breakroom499-contoso-tstrsd-007"
	var client allocation.Client
	verdict := client.Allocate(context.Background(), server.URL+allocation.Path, allocation.Request{
		DeviceRuntimeContext: allocation.RuntimeContext{RegistrationID: &id},
		LinkedHubs:           []string{"contoso-toasters-hub-1098.azure-devices.net", "contoso-heatpumps-hub-1098.azure-devices.net"},
	})
	fmt.Println(verdict.Hub)
	fmt.Printf("%s\n", verdict.InitialTwin.Properties.Desired)
	// Output:
	// contoso-toasters-hub-1098.azure-devices.net
	// {"state":"ready","darknessSetting":"medium"}
}

// A policy of one's own, tried on a request without any server.
func ExamplePolicy_Decide() {
	policy, err := allocation.ParsePolicy([]byte(`{
		"rules": [
			{"when": {"payload": {"model.kind": {"prefix": "grill"}}}, "hub": {"glob": "*-kitchen-*"}, "tags": {"hot": true}},
			{"hub": {"contains": "-rest-", "pick": "first"}}
		]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, payload := range []string{`{"model":{"kind":"grill-3"}}`, `{}`} {
		decision := policy.Decide([]byte(`{
			"deviceRuntimeContext": {"registrationId": "d1", "payload": ` + payload + `},
			"linkedHubs": ["contoso-kitchen-1.azure-devices.net", "contoso-rest-1.azure-devices.net"]
		}`))
		fmt.Println(decision.Status, string(decision.Body))
	}
	// Output:
	// 200 {"iotHubHostName":"contoso-kitchen-1.azure-devices.net","initialTwin":{"tags":{"hot":true}}}
	// 200 {"iotHubHostName":"contoso-rest-1.azure-devices.net"}
}

// Old firmware goes to one hub, the rest is spread by weight and stays where it
// is, and a device that says nothing of its firmware goes anywhere.
func ExamplePolicy_Decide_spread() {
	policy, err := allocation.ParsePolicy([]byte(`{
		"rules": [
			{"when": {"payload": {"firmware": {"version": "<1.2"}}}, "hub": "contoso-update"},
			{"when": {"payload": {"firmware": {"version": ">=1.2"}}}, "hub": {"spread": {"*-large-*": 3, "*-small": 1}}, "sticky": true}
		],
		"otherwise": {"hub": "hashed"}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, device := range []string{
		`"registrationId": "d1", "payload": {"firmware": "1.1.9"}`,
		`"registrationId": "d1", "payload": {"firmware": "1.10"}`,
		`"registrationId": "d1", "payload": {"firmware": "1.10"}, "currentIotHubHostName": "contoso-small"`,
		`"registrationId": "d1"`,
	} {
		decision := policy.Decide([]byte(`{
			"deviceRuntimeContext": {` + device + `},
			"linkedHubs": ["contoso-large-1", "contoso-large-2", "contoso-small", "contoso-update"]
		}`))
		fmt.Println(decision.Hub)
	}
	// Output:
	// contoso-update
	// contoso-large-2
	// contoso-small
	// contoso-small
}

// Whoever writes a policy hears of all mistakes at once.
func ExampleParsePolicy() {
	_, err := allocation.ParsePolicy([]byte(`{"rules": [{"hub": {"contain": "-toasters-"}, "tags": "toaster"}], "else": "Sorry."}`))
	fmt.Println(err)
	// Output:
	// rules[0].hub.contain is unknown; it may be contains, equals, glob, in, pick, prefix, region, spread, suffix
	// rules[0].tags must be an object
	// else is unknown; it may be about, name, otherwise, rules
}
