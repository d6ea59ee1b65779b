package provisioning_test

import (
	"fmt"
	"time"

	"dpsfleet/provisioning"
)

// The tutorial's toaster: from the group's key to the user name and token with
// which it connects to DPS.
func Example() {
	group, err := provisioning.ParseKey("oiK77Oy7rBw8YB6IS6ukRChAw+Yq6GC61RMrPLSTiOOtdI+XDu0LmLuNm11p+qv2I+adqGUdZHm46zXAQdZoOA==")
	if err != nil {
		fmt.Println(err)
		return
	}
	user := provisioning.DPSUser{
		IDScope:        "0ne00002193",
		RegistrationID: "breakroom499-contoso-tstrsd-007",
		APIVersion:     provisioning.DPSAPIVersion,
	}
	device := group.Derive(user.RegistrationID)
	token := provisioning.SignToken(device, user.Resource(), time.Unix(1663952627, 0), provisioning.DPSKeyName)

	fmt.Println(device, device.Base64())
	fmt.Println(user)
	fmt.Println(provisioning.Request{RequestID: "1"})
	parsed, err := provisioning.ParseToken(token)
	fmt.Println(parsed.SignedBy(device), parsed.For(user.Resource()), err)
	// Output:
	// **** JC8F96eayuQwwz+PkE7IzjH2lIAjCUnAa61tDigBnSs=
	// 0ne00002193/registrations/breakroom499-contoso-tstrsd-007/api-version=2019-03-31
	// $dps/registrations/PUT/iotdps-register/?$rid=1
	// true true <nil>
}

func ExampleParseOperation() {
	op, err := provisioning.ParseOperation([]byte(
		`{"operationId":"5.1.a","status":"failed","registrationState":{"registrationId":"dev1","status":"failed",` +
			`"errorCode":400207,"errorMessage":"Custom allocation failed with status code: 400"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(op.Status, op.State.ErrorCode)
	fmt.Println(provisioning.ResultOf(op.Status, op.State.ErrorCode))
	// Output:
	// failed 400207 CustomAllocationFailed
	// PROV_DEVICE_RESULT_DEV_AUTH_ERROR
}

func ExampleObject() {
	var o provisioning.Object
	o.Text("registrationId", "dev1")
	o.Raw("payload", []byte(`{ "as": "it came" }`))
	fmt.Printf("%s\n", o.Bytes())
	// Output:
	// {"registrationId":"dev1","payload":{ "as": "it came" }}
}
