package emulator_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/mqtt"
)

// A cloud on a free port of this machine, with the tutorial's enrollment group
// and policy, and a toaster that registers there. TestCloudInABubble is the same
// on a network inside the process, where a wait takes no time.
func ExampleNew() {
	policy, fast := allocation.Contoso(), emulator.Fast()
	verdicts := make(chan provisioning.RegistrationState, 1)
	cloud, err := emulator.New(context.Background(), emulator.Config{
		LinkedHubs: []string{"contoso-toasters-hub-1098.azure-devices.net"},
		Enrollments: []emulator.Enrollment{{
			Enrollment: provisioning.Enrollment{EnrollmentGroupID: "toasters"},
			Policy:     &policy,
		}},
		Answers: &fast,
		Record: func(x provisioning.Exchange) {
			if x.Kind == provisioning.ExchangeVerdict {
				verdicts <- *x.State
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cloud.Close()

	group, _ := cloud.Key("toasters")
	if err := register(new(net.Dialer).DialContext, cloud.Addr(), group, "breakroom499-contoso-tstrsd-007"); err != nil {
		fmt.Println(err)
		return
	}
	state := <-verdicts
	fmt.Println(state.Status, state.AssignedHub)
	// Output: assigned contoso-toasters-hub-1098.azure-devices.net
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// register sends a registration and waits for DPS to accept it.
func register(dial dialFunc, address string, group provisioning.Key, id string) error {
	nc, err := dial(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	soon := time.Now().Add(10 * time.Second)
	user := provisioning.DPSUser{IDScope: "0ne00002193", RegistrationID: id, APIVersion: provisioning.DPSAPIVersion}
	conn := mqtt.New(context.Background(), nc, mqtt.Options{})
	defer conn.Close()
	err = conn.Connect(mqtt.Connect{
		ClientID: id, Username: user.String(), CleanSession: true,
		Password: []byte(provisioning.SignToken(group.Derive(id), user.Resource(), soon, provisioning.DPSKeyName)),
	}, soon)
	if err != nil {
		return err
	}
	if _, err := conn.Subscribe(soon, 1, provisioning.AnswerFilter); err != nil {
		return err
	}
	request := provisioning.Request{RequestID: "1"}
	if err := conn.Publish(mqtt.Message{Topic: request.String(), QoS: 1}, soon); err != nil {
		return err
	}
	_, err = conn.Receive(soon)
	return err
}
