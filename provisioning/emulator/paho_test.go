package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// pahoDevice is a device on Paho's full client, which is not ours.
type pahoDevice struct {
	t       testing.TB
	client  paho.Client
	answers chan paho.Message
	losses  chan error // why the connection was lost
}

type dialer func() (net.Conn, error)

func connectPaho(t testing.TB, dial dialer, clientID, user, password string) *pahoDevice {
	t.Helper()
	d := &pahoDevice{t: t, answers: make(chan paho.Message, 16), losses: make(chan error, 1)}
	options := paho.NewClientOptions().
		AddBroker("tcp://127.0.0.1:8883").
		SetClientID(clientID).SetUsername(user).SetPassword(password).
		SetProtocolVersion(4).SetAutoReconnect(false).SetKeepAlive(180 * time.Second).
		SetConnectionLostHandler(func(_ paho.Client, err error) { d.losses <- err }).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return dial() })
	d.client = paho.NewClient(options)
	d.done(d.client.Connect())
	return d
}

func (d *pahoDevice) done(token paho.Token) {
	d.t.Helper()
	if !token.WaitTimeout(time.Minute) {
		d.t.Fatal("no answer in a minute")
	}
	if token.Error() != nil {
		d.t.Fatal(token.Error())
	}
}

func (d *pahoDevice) subscribe(filter string) {
	d.t.Helper()
	d.done(d.client.Subscribe(filter, 1, func(_ paho.Client, m paho.Message) { d.answers <- m }))
}

func (d *pahoDevice) ask(topic, body string) paho.Message {
	d.t.Helper()
	d.done(d.client.Publish(topic, 1, false, body))
	return d.next()
}

func (d *pahoDevice) next() paho.Message {
	d.t.Helper()
	select {
	case m := <-d.answers:
		return m
	case <-time.After(time.Minute):
		d.t.Fatal("no message in a minute")
		return nil
	}
}

// provision registers and polls as an SDK does and returns the last answer and
// the statuses that were seen on the way.
func (d *pahoDevice) provision(body string) (last operation, seen []string) {
	d.t.Helper()
	d.subscribe("$dps/registrations/res/#")
	answer := d.ask("$dps/registrations/PUT/iotdps-register/?$rid=1", body)
	for rid := 2; ; rid++ {
		last = operation{}
		if err := json.Unmarshal(answer.Payload(), &last); err != nil {
			d.t.Fatalf("%s: %v", answer.Payload(), err)
		}
		seen = append(seen, last.Status)
		if !strings.HasPrefix(answer.Topic(), "$dps/registrations/res/202/") {
			return last, seen
		}
		_, seconds, ok := strings.Cut(answer.Topic(), "&retry-after=")
		wait, err := strconv.Atoi(seconds)
		if !ok || err != nil {
			d.t.Fatalf("%q names no retry-after", answer.Topic())
		}
		time.Sleep(time.Duration(wait) * time.Second)
		answer = d.ask("$dps/registrations/GET/iotdps-get-operationstatus/?$rid="+strconv.Itoa(rid)+"&operationId="+last.OperationID, " ")
	}
}

// operation is read here without our own types.
type operation struct {
	OperationID string `json:"operationId"`
	Status      string
	State       struct {
		RegistrationID, AssignedHub, DeviceID, Status, Substatus, ErrorMessage string
		ErrorCode                                                              int
		Payload                                                                json.RawMessage
	} `json:"registrationState"`
}

// life is a whole boot: provisioned, connected to the hub, twin read, reported.
func life(t *testing.T, dial func(serverName string) dialer) (seen []string, twin string) {
	t.Helper()
	deviceKey := key(t, toasterKey)
	dps := connectPaho(t, dial("global.azure-devices-provisioning.net"), toaster, userName(toaster), token(deviceKey, scope+"/registrations/"+toaster, time.Hour))
	last, seen := dps.provision(`{"registrationId":"` + toaster + `","payload":{"MyDeviceFirmwareVersion":"12.0"}}`)
	dps.client.Disconnect(250)
	if last.Status != "assigned" || last.State.AssignedHub != toastersHub || last.State.DeviceID != toaster {
		t.Fatalf("the device ended as %+v", last)
	}

	device := connectPaho(t, dial(last.State.AssignedHub), toaster, toastersHub+"/"+toaster+"/?api-version=2021-04-12",
		token(deviceKey, toastersHub+"/devices/"+toaster, time.Hour))
	defer device.client.Disconnect(250)
	device.subscribe("$iothub/twin/res/#")
	answer := device.ask("$iothub/twin/GET/?$rid=a-uuid", " ")
	if want := "$iothub/twin/res/200/?$rid=a-uuid"; answer.Topic() != want {
		t.Errorf("the twin came on %q, want %q", answer.Topic(), want)
	}
	patched := device.ask("$iothub/twin/PATCH/properties/reported/?$rid=2", `{"state":"toasting"}`)
	if want := "$iothub/twin/res/204/?$rid=2&$version=2"; patched.Topic() != want || len(patched.Payload()) != 0 {
		t.Errorf("the patch was answered on %q with %q, want %q and nothing", patched.Topic(), patched.Payload(), want)
	}
	return seen, string(answer.Payload())
}

const toasterTwin = `{"desired":{"state":"ready","darknessSetting":"medium","$version":1},"reported":{"$version":1}}`

func TestPahoBootsAToasterOverMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, contoso(t))
		defer w.close()
		seen, twin := life(t, func(string) dialer { return w.dial })
		if got, want := strings.Join(seen, " "), "assigning assigning assigned"; got != want {
			t.Errorf("the device saw %q, want %q as in the tutorial", got, want)
		}
		if twin != toasterTwin {
			t.Errorf("twin = %s\nwant   %s", twin, toasterTwin)
		}
		kept, _ := w.cloud.Twin(toastersHub, toaster)
		if string(kept.Reported) != `{"state":"toasting"}` || string(kept.Tags) != `{"deviceType":"toaster"}` {
			t.Errorf("the hub keeps reported %s and tags %s", kept.Reported, kept.Tags)
		}
		w.checkExchanges(t)
	})
}

// checkExchanges checks what the cloud says of the boot.
func (w *world) checkExchanges(t *testing.T) {
	t.Helper()
	want := map[provisioning.ExchangeKind]int{
		provisioning.ExchangeRegister: 1, provisioning.ExchangeAllocate: 1, provisioning.ExchangeVerdict: 1,
		provisioning.ExchangePoll: 1, provisioning.ExchangeTold: 1, provisioning.ExchangeJoin: 1, provisioning.ExchangeTwin: 1,
	}
	for kind, n := range want {
		if got := len(w.recorded(kind)); got != n {
			t.Errorf("%d exchanges %s, want %d", got, kind, n)
		}
	}
	verdict := w.recorded(provisioning.ExchangeVerdict)[0]
	if verdict.State.AssignedHub != toastersHub || string(verdict.Tags) != `{"deviceType":"toaster"}` {
		t.Errorf("the verdict says hub %q and tags %s", verdict.State.AssignedHub, verdict.Tags)
	}
	totals := w.cloud.Totals()
	wantTotals := emulator.Totals{
		Connections: 2, Registrations: 1, Polls: 2, WebhookCalls: 1, Assigned: 1,
		Joins: 1, TwinReads: 1, TwinPatches: 1,
	}
	if totals != wantTotals {
		t.Errorf("totals = %+v\nwant     %+v", totals, wantTotals)
	}
}

func (w *world) dial() (net.Conn, error) {
	return w.network.Dial(context.Background(), "tcp", w.cloud.Addr())
}

func TestPahoBootsAToasterOverTLS(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			cfg, fast := contoso(t), emulator.Fast()
			cfg.TLS, cfg.Answers = true, &fast
			cloud, err := emulator.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer cloud.Close()
			roots := x509.NewCertPool()
			if !roots.AppendCertsFromPEM(cloud.CA()) {
				t.Fatal("the CA is not PEM")
			}
			_, twin := life(t, func(serverName string) dialer {
				config := &tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: version, MaxVersion: version}
				return func() (net.Conn, error) { return tls.Dial("tcp", cloud.Addr(), config) }
			})
			if twin != toasterTwin {
				t.Errorf("twin = %s\nwant   %s", twin, toasterTwin)
			}
		})
	}
}
