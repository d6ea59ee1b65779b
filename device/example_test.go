package device_test

import (
	"fmt"
	"log"

	"dpsfleet/device"
)

// A model is data; a device is made of it and of a number.
func ExampleModel_Compile() {
	kind, err := device.Model{
		RegistrationID: "doorbell{{.N}}",
		Payload:        []byte(`{"model":"doorbell","serial":"{{pad 5 .N}}"}`),
	}.Compile("doorbell")
	if err != nil {
		log.Fatal(err)
	}
	d, err := kind.Make(device.Number{Fleet: "doorbells", N: 7, Boot: 1, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.ID)
	fmt.Println(string(d.Payload))
	// Output:
	// doorbell7
	// {"model":"doorbell","serial":"00007"}
}
