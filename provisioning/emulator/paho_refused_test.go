package emulator_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"dpsfleet/provisioning/emulator"
)

// lost is told why Paho's client lost its connection.
func (d *pahoDevice) lost() error {
	d.t.Helper()
	select {
	case err := <-d.losses:
		return err
	case <-time.After(time.Minute):
		d.t.Fatal("the connection stayed for a minute")
		return nil
	}
}

// TestPahoIsCutOffForWhatTheServiceDoesNotHave walks out of the documented
// topics with a full client, at DPS and at a hub.
func TestPahoIsCutOffForWhatTheServiceDoesNotHave(t *testing.T) {
	publish := func(topic string) func(*pahoDevice) paho.Token {
		return func(d *pahoDevice) paho.Token { return d.client.Publish(topic, 1, false, "{}") }
	}
	subscribe := func(filter string) func(*pahoDevice) paho.Token {
		return func(d *pahoDevice) paho.Token { return d.client.Subscribe(filter, 1, nil) }
	}
	tests := []struct {
		name   string
		atHub  bool
		do     func(*pahoDevice) paho.Token
		reason string
	}{
		{name: "DPS is no broker", do: subscribe("#"), reason: "is not the filter that DPS allows"},
		{name: "another device's answers", do: subscribe("$dps/registrations/res/200/"), reason: "is not the filter that DPS allows"},
		{name: "a topic of ours", do: publish("toasters/7"), reason: "not a topic of DPS"},
		{name: "an operation that DPS does not have", do: publish("$dps/registrations/POST/iotdps-register/?$rid=1"), reason: "not a topic of DPS"},
		{name: "a hub's topic at DPS", do: publish("devices/" + toaster + "/messages/events/"), reason: "not a topic of DPS"},
		{name: "DPS's topic at a hub", atHub: true, do: publish("$dps/registrations/PUT/iotdps-register/?$rid=1"), reason: "$dps/registrations"},
		{name: "another device's telemetry", atHub: true, do: publish("devices/" + heatpump + "/messages/events/"), reason: heatpump},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := startIn(t, contoso(t))
				defer w.close()
				d := w.pahoAtDPS(t)
				if test.atHub {
					d.provision("")
					d.client.Disconnect(0)
					d = connectPaho(t, w.dial, toaster, toastersHub+"/"+toaster+"/?api-version=2021-04-12",
						token(key(t, toasterKey), toastersHub+"/devices/"+toaster, time.Hour))
				}
				test.do(d).WaitTimeout(time.Minute)
				d.lost()
				synctest.Wait()
				contains(t, "the log", w.log.String(), test.reason)
				d.client.Disconnect(0)
			})
		})
	}
}

func (w *world) pahoAtDPS(t testing.TB) *pahoDevice {
	t.Helper()
	return connectPaho(t, w.dial, toaster, userName(toaster), token(key(t, toasterKey), scope+"/registrations/"+toaster, time.Hour))
}

// TestPahoIsThrottledAndThenLetIn registers once more than a quota of five a
// minute lets in.
func TestPahoIsThrottledAndThenLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := contoso(t)
		cfg.Quotas = emulator.RealQuotas / 200
		w := startIn(t, cfg)
		defer w.close()
		d := w.pahoAtDPS(t)
		defer d.client.Disconnect(0)
		d.subscribe(answerFilter)
		start := time.Now()
		for range 5 {
			if answer := d.ask(registerTopic, ""); !strings.HasPrefix(answer.Topic(), "$dps/registrations/res/202/") {
				t.Fatalf("answered on %s with %s", answer.Topic(), answer.Payload())
			}
		}
		answer := d.ask(registerTopic, "")
		if want := "$dps/registrations/res/429/?$rid=1&retry-after=60"; answer.Topic() != want {
			t.Errorf("answered on %s, want %s", answer.Topic(), want)
		}
		contains(t, "the answer", string(answer.Payload()), `{"errorCode":429001,"trackingId":"`)
		time.Sleep(time.Minute - time.Since(start))
		if last, _ := d.provision(""); last.State.AssignedHub != toastersHub {
			t.Errorf("a minute later the device ended as %+v", last)
		}
	})
}
