package provisioning_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
)

// What is read from the wire must neither panic nor change when it is written
// and read again: the emulator and the device would disagree on it.

func FuzzParseToken(f *testing.F) {
	key, table := readTokens(f)
	for _, v := range table.Tokens {
		f.Add("SharedAccessSignature sr="+v.SR+"&sig="+v.Sig+"&se=1663952627&skn=registration", v.Resource, v.SE)
	}
	f.Add("SharedAccessSignature se=-1&sr=%&sig=", "a b/\xff&=", int64(-1))
	f.Fuzz(func(t *testing.T, text, resource string, expiry int64) {
		if _, err := provisioning.ParseToken(text); err != nil && len(text) > 60 && strings.Contains(err.Error(), text) {
			t.Fatalf("the error quotes the token: %v", err)
		}
		token, err := provisioning.ParseToken(provisioning.SignToken(key, resource, time.Unix(expiry, 0), provisioning.DPSKeyName))
		if resource == "" {
			if err == nil {
				t.Fatal("a token for nothing was taken")
			}
			return
		}
		if err != nil {
			t.Fatalf("our own token is refused: %v", err)
		}
		if !token.SignedBy(key) || !token.For(resource) || token.Expiry.Unix() != expiry || token.KeyName != provisioning.DPSKeyName {
			t.Fatalf("our own token for %q until %d is another one", resource, expiry)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add("$dps/registrations/PUT/iotdps-register/?$rid=1")
	f.Add("$dps/registrations/PUT/iotdps-register/?$rid=1&x=$rid=2")
	f.Add("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=4.2f.a-b")
	f.Fuzz(func(t *testing.T, topic string) {
		request, err := provisioning.ParseRequest(topic)
		if err != nil {
			return
		}
		if again, err := provisioning.ParseRequest(request.String()); err != nil || again != request {
			t.Fatalf("%+v became %+v, %v", request, again, err)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add("$dps/registrations/res/202/?$rid=1&retry-after=3")
	f.Add("$dps/registrations/res/429/?retry-after=03&$RID=&$rid=x=y")
	f.Add("$iothub/twin/res/204/?$rid=2&$version=3")
	f.Fuzz(func(t *testing.T, topic string) {
		if answer, err := provisioning.ParseAnswer(topic); err == nil {
			again, err := provisioning.ParseAnswer(answer.String())
			if err != nil || !reflect.DeepEqual(again, answer) {
				t.Fatalf("%+v became %+v, %v", answer, again, err)
			}
		}
		if answer, err := provisioning.ParseTwinAnswer(topic); err == nil {
			if again, err := provisioning.ParseTwinAnswer(answer.String()); err != nil || again != answer {
				t.Fatalf("%+v became %+v, %v", answer, again, err)
			}
		}
	})
}

func FuzzParseHubRequest(f *testing.F) {
	f.Add("devices/dev1/messages/events/%24.ct=application%2Fjson", "dev1")
	f.Add("$iothub/twin/GET/?$rid=1", "")
	f.Add("$iothub/twin/PATCH/properties/reported/?$rid=2", "dev1")
	f.Add("$iothub/methods/res/200/?$rid=/?$rid=3", "dev1")
	f.Fuzz(func(t *testing.T, topic, deviceID string) {
		request, err := provisioning.ParseHubRequest(topic, deviceID)
		if err != nil {
			return
		}
		var written string
		switch request.Op {
		case provisioning.TwinGet:
			written = provisioning.TwinGetTopic(request.RequestID)
		case provisioning.ReportedPatch:
			written = provisioning.ReportedTopic(request.RequestID)
		case provisioning.MethodAnswer:
			written = provisioning.MethodAnswerTopic(request.Status, request.RequestID)
		case provisioning.Telemetry:
			written = provisioning.TelemetryTopic(deviceID, "") + request.Properties
		}
		if again, err := provisioning.ParseHubRequest(written, deviceID); err != nil || again != request {
			t.Fatalf("%+v became %+v, %v", request, again, err)
		}
		provisioning.ParseMethod(topic)
	})
}

func FuzzParseUser(f *testing.F) {
	var table users
	vectors(f, "users", &table)
	for _, v := range table.DPS {
		f.Add(v.Name)
	}
	for _, v := range table.Hub {
		f.Add(v.Name)
	}
	f.Add("a/registrations/b/api-version=%2526&ClientVersion=%26+%zz")
	f.Fuzz(func(t *testing.T, name string) {
		if user, err := provisioning.ParseDPSUser(name); err == nil {
			if again, err := provisioning.ParseDPSUser(user.String()); err != nil || again != user {
				t.Fatalf("%+v became %+v, %v", user, again, err)
			}
		}
		if user, err := provisioning.ParseHubUser(name); err == nil {
			if again, err := provisioning.ParseHubUser(user.String()); err != nil || again != user {
				t.Fatalf("%+v became %+v, %v", user, again, err)
			}
		}
	})
}

func FuzzBodies(f *testing.F) {
	for _, name := range []string{"accepted", "assigning", "assigned-x509", "assigned-payload", "failed", "disabled", "refused"} {
		f.Add(body(f, name))
	}
	f.Add([]byte(`{"registrationId":"dev1","payload": null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := provisioning.ParseRegistration(text); err == nil {
			if again, err := provisioning.ParseRegistration(r.JSON()); err != nil || !reflect.DeepEqual(again, r) {
				t.Fatalf("%+v became %+v, %v", r, again, err)
			}
		}
		if op, err := provisioning.ParseOperation(text); err == nil {
			once := op.JSON()
			if !json.Valid(once) || strings.ContainsFunc(string(once), func(r rune) bool { return r > '~'+1 }) {
				t.Fatalf("%q became %q", text, once)
			}
			again, err := provisioning.ParseOperation(once)
			if err != nil || string(again.JSON()) != string(once) {
				t.Fatalf("%s became %s, %v", once, again.JSON(), err)
			}
		}
		refusal := provisioning.ParseError(provisioning.Answer{Status: 400}, text)
		if !json.Valid(refusal.JSON()) {
			t.Fatalf("%q became %q", text, refusal.JSON())
		}
	})
}
