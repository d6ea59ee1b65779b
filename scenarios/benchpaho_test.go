//go:build unix

package scenarios_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// paho boots n devices on Paho's full client, with the same TLS settings and the
// same packets as ours. It remembers the cloud's chain as well.
func (t *booter) paho(n int) error {
	return repeat(n, func() error { return t.pahoBoot(t.next()) })
}

func (t *booter) pahoBoot(d device.Device) error {
	user := provisioning.DPSUser{IDScope: t.target.IDScope, RegistrationID: d.ID, APIVersion: provisioning.DPSAPIVersion, ClientVersion: "bench"}
	token := provisioning.SignToken(d.Key, user.Resource(), time.Now().Add(time.Hour), provisioning.DPSKeyName)
	client := paho.NewClient(paho.NewClientOptions().
		AddBroker("tcp://" + t.target.Endpoint).
		SetClientID(d.ID).SetUsername(user.String()).SetPassword(token).
		SetProtocolVersion(4).SetAutoReconnect(false).SetKeepAlive(180 * time.Second).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return t.pahoDial() }))
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

func (t *booter) pahoDial() (net.Conn, error) {
	if t.target.TLS == nil {
		return net.Dial("tcp", t.target.Endpoint)
	}
	return tls.Dial("tcp", t.target.Endpoint, t.target.Trust.Config(t.target.TLS, t.target.ServerName))
}

func done(token paho.Token) error {
	if !token.WaitTimeout(time.Minute) {
		return errors.New("no acknowledgement in a minute")
	}
	return token.Error()
}
