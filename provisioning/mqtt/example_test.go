package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dpsfleet/provisioning/memnet"
	"dpsfleet/provisioning/mqtt"
)

// A device asks and a service answers, each in one goroutine.
func Example() {
	var network memnet.Network
	ctx := context.Background()
	l, err := network.Listen("tcp", "127.0.0.1:1883")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		echo(nc, mqtt.Options{})
	}()

	nc, err := network.Dial(ctx, "tcp", "127.0.0.1:1883")
	if err != nil {
		fmt.Println(err)
		return
	}
	conn := mqtt.New(ctx, nc, mqtt.Options{})
	defer conn.Disconnect()
	until := time.Now().Add(10 * time.Second)
	err = errors.Join(
		conn.Connect(mqtt.Connect{ClientID: "toaster", CleanSession: true, KeepAlive: 4 * time.Minute}, until),
		conn.Publish(mqtt.Message{Topic: "breakroom499", Payload: []byte("done"), QoS: 1}, until),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := conn.Receive(until)
	fmt.Printf("%s: %s %v\n", m.Topic, m.Payload, err)
	// Output: breakroom499/echo: done <nil>
}
