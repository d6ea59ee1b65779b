//go:build unix

package scenarios_test

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// paho boots n devices on Paho's full client, with the same TLS settings and the
// same packets as ours. It dials as it comes, within 30 s where ours have 10 s, and
// remembers the cloud's chain as well.
func (t *booter) paho(n int) error {
	return repeat(n, func() error { return t.pahoBoot(t.next()) })
}

func (t *booter) pahoBoot(d device.Device) error {
	user := provisioning.DPSUser{IDScope: t.target.IDScope, RegistrationID: d.ID, APIVersion: provisioning.DPSAPIVersion, ClientVersion: "bench"}
	token := provisioning.SignToken(d.Key, user.Resource(), time.Now().Add(time.Hour), provisioning.DPSKeyName)
	options := paho.NewClientOptions().
		SetClientID(d.ID).SetUsername(user.String()).SetPassword(token).
		SetProtocolVersion(4).SetAutoReconnect(false).SetKeepAlive(180 * time.Second)
	if t.target.TLS == nil {
		options.AddBroker("tcp://" + t.target.Endpoint)
	} else {
		options.AddBroker("ssl://" + t.target.Endpoint).SetTLSConfig(t.target.Trust.Config(t.target.TLS, t.target.ServerName))
	}
	client := paho.NewClient(options)
	if err := done(client.Connect()); err != nil {
		return err
	}
	defer client.Disconnect(0)
	answers := make(chan paho.Message, 1)
	ask := func(r provisioning.Request, body []byte) (provisioning.Operation, error) {
		if err := done(client.Publish(r.String(), 0, false, body)); err != nil {
			return provisioning.Operation{}, err
		}
		select {
		case m := <-answers:
			return provisioning.ParseOperation(m.Payload())
		case <-time.After(time.Minute):
			return provisioning.Operation{}, errors.New("no answer in a minute")
		}
	}
	err := done(client.Subscribe(provisioning.AnswerFilter, 1, func(_ paho.Client, m paho.Message) { answers <- m }))
	if err != nil {
		return err
	}
	body := provisioning.Registration{RegistrationID: d.ID, Payload: bytes.Clone(d.Payload)}.JSON()
	op, err := ask(provisioning.Request{RequestID: "1"}, body)
	for rid := 2; err == nil && op.Status == provisioning.Assigning; rid++ {
		op, err = ask(provisioning.Request{RequestID: fmt.Sprint(rid), Poll: true, OperationID: op.OperationID}, nil)
	}
	if err == nil && op.Status != provisioning.Assigned {
		err = fmt.Errorf("paho's device was %s", op.Status)
	}
	return err
}

func done(token paho.Token) error {
	if !token.WaitTimeout(time.Minute) {
		return errors.New("no acknowledgement in a minute")
	}
	return token.Error()
}
