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

// Whoever writes a policy hears of all mistakes at once.
func ExampleParsePolicy() {
	_, err := allocation.ParsePolicy([]byte(`{"rules": [{"hub": {"contain": "-toasters-"}, "tags": "toaster"}], "else": "Sorry."}`))
	fmt.Println(err)
	// Output:
	// rules[0].hub.contain is unknown; it may be contains, equals, glob, pick, prefix, suffix
	// rules[0].tags must be an object
	// else is unknown; it may be about, name, otherwise, rules
}
