package emulator_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/emulator/rest"
)

const policyName = "provisioningserviceowner"

// backEnd speaks to the service API of a world's cloud as
// azure-iot-provisioning-service does.
type backEnd struct {
	t      testing.TB
	at     rest.ConnectionString
	client http.Client
}

func (w *world) backEnd() *backEnd {
	w.t.Helper()
	at, err := rest.ParseConnectionString(w.cloud.ServiceConnectionString())
	if err != nil {
		w.t.Fatal(err)
	}
	return &backEnd{w.t, at, http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return w.network.Dial(ctx, network, w.cloud.HTTPSAddr())
		},
	}}}
}

// request is one with a good token; header is name, value, name, value.
func (b *backEnd) request(method, path, body string, header ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequest(method, "http://"+b.at.Host+":"+b.at.Port+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", provisioning.SignToken(b.at.Key, b.at.Host, time.Now().Add(time.Hour), policyName))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (b *backEnd) send(r *http.Request) reply {
	b.t.Helper()
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

// do sends a request that must be answered with a status.
func (b *backEnd) do(want int, method, path, body string, header ...string) reply {
	b.t.Helper()
	got := b.send(b.request(method, path, body, header...))
	if got.status != want {
		b.t.Fatalf("%s %s: %d, want %d\n%s", method, path, got.status, want, got.body)
	}
	return got
}

func (b *backEnd) record(want int, method, path, body string, header ...string) provisioning.Enrollment {
	b.t.Helper()
	e, err := provisioning.ParseEnrollment([]byte(b.do(want, method, path, body, header...).body))
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// served is contoso with the HTTP face, in the clear because it is in memory.
func served(t testing.TB) emulator.Config {
	cfg, fast := contoso(t), emulator.Fast()
	cfg.HTTPS, cfg.Answers = "127.0.0.1:8443", &fast
	return cfg
}

func inBubble(t *testing.T, cfg func(testing.TB) emulator.Config, test func(*testing.T, *world, *backEnd)) {
	synctest.Test(t, func(t *testing.T) {
		w := startIn(t, cfg(t))
		defer w.close()
		test(t, w, w.backEnd())
	})
}

func TestAGroupIsMadeUsedAndDeletedOverTheServiceAPI(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		const path = "/enrollmentGroups/mine?api-version=2021-10-01"
		made := b.record(200, "PUT", path, `{"enrollmentGroupId":"mine","attestation":{"type":"symmetricKey"},"allocationPolicy":"static",
			"iotHubHostName":"`+heatpumpsHub+`","initialTwin":{"tags":{"b": 1,"a":"ä<"},"properties":{"desired":{"z": 1.0}}}}`)
		keys := made.Attestation.SymmetricKey
		if keys == nil || len(keys.Primary) != 64 || len(keys.Secondary) != 64 || made.Provisioning != "enabled" || made.ETag == "" || made.Created.IsZero() {
			t.Errorf("made %+v", made)
		}
		shown := b.do(200, "GET", path, "")
		if strings.Contains(shown.body, "aryKey") || shown.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("a GET has keys, or is no JSON: %v %s", shown.header, shown.body)
		}
		contains(t, "the record", shown.body, `"initialTwin":{"properties":{"desired":{"z": 1.0}},"tags":{"b": 1,"a":"\u00e4<"}}`)
		attestation := b.do(200, "POST", "/enrollmentgroups/mine/attestationmechanism", "")
		contains(t, "the attestation", attestation.body, `{"type":"symmetricKey","symmetricKey":{"primaryKey":"`+keys.Primary.Base64())

		for i, k := range []provisioning.Key{keys.Primary.Derive(toaster), keys.Secondary.Derive(toaster)} {
			if last := w.provisioned(toaster, k); last.State.AssignedHub != heatpumpsHub {
				t.Errorf("key %d: the device ended as %+v", i, last)
			}
		}
		contains(t, "the group's devices", b.do(200, "POST", "/registrations/mine/query", "").body, `[{"registrationId":"`+toaster+`"`)
		b.do(204, "DELETE", path, "")
		b.do(404, "GET", path, "")
		c := w.device(toaster)
		defer c.nc.Close()
		w.provisioned(heatpump, deviceKeyOf(t, heatpump)) // the other group is untouched
		contains(t, "the registration, which outlives its group", b.do(200, "GET", "/registrations/"+toaster, "").body, heatpumpsHub)
	})
}

func TestDeletingARegistrationMakesTheNextOneInitial(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		own := provisioning.NewKey()
		b.record(200, "PUT", "/enrollments/"+toaster, `{"registrationId":"`+toaster+`","deviceId":"kitchen","attestation":{"type":"symmetricKey",
			"symmetricKey":{"primaryKey":"`+own.Base64()+`","secondaryKey":"`+own.Base64()+`"}},"allocationPolicy":"hashed","iotHubs":["`+toastersHub+`"]}`)
		for range 2 {
			w.provisioned(toaster, own)
		}
		shown := b.record(200, "GET", "/enrollments/"+strings.ToUpper(toaster), "")
		if shown.State == nil || shown.State.DeviceID != "kitchen" || shown.State.Status != provisioning.Assigned {
			t.Errorf("the record shows %+v", shown.State)
		}
		etag := b.do(200, "GET", "/registrations/"+toaster, "").header.Get("ETag")
		b.do(412, "DELETE", "/registrations/"+toaster, "", "If-Match", `"other"`)
		b.do(204, "DELETE", "/registrations/"+toaster, "", "If-Match", etag)
		b.do(404, "GET", "/registrations/"+toaster, "")
		if _, there := w.cloud.Twin(toastersHub, "kitchen"); !there {
			t.Error("the hub has lost the device: it is deleted there on its own")
		}
		if last := w.provisioned(toaster, own); last.State.Substatus != provisioning.InitialAssignment {
			t.Errorf("the next registration is %q", last.State.Substatus)
		}
	})
}

func TestKeysThatABackEndChangesHoldFromTheNextConnectionOn(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		path := "/enrollmentGroups/" + groupID
		if last := w.provisioned(toaster, key(t, toasterKey)); last.Status != "assigned" {
			t.Errorf("before, the device ended as %+v", last)
		}
		pair := provisioning.SymmetricKey{Primary: provisioning.NewKey(), Secondary: provisioning.NewKey()}
		text := b.do(200, "GET", path, "").body
		keys := `"symmetricKey":{"primaryKey":"` + pair.Primary.Base64() + `","secondaryKey":"` + pair.Secondary.Base64() + `"}`
		b.do(200, "PUT", path, strings.Replace(text, `{"type":"symmetricKey"`, `{"type":"symmetricKey",`+keys, 1), "If-Match", "*")
		for _, k := range []provisioning.Key{pair.Primary.Derive(toaster), pair.Secondary.Derive(toaster)} {
			if last := w.provisioned(toaster, k); last.Status != "assigned" {
				t.Errorf("with a new key the device ended as %+v", last)
			}
		}
		c := w.wire()
		defer c.nc.Close()
		c.connect(connectPacket(toaster, userName(toaster), goodToken(t, toaster)))
		c.subscribe(1, answerFilter)
		checkRefusal(t, c.ask(1, registerTopic, ""), "401 401000 Unauthorized")
	})
}

func TestARecordThatIsReadChangedAndWrittenBackKeepsItsKeys(t *testing.T) {
	inBubble(t, served, func(t *testing.T, w *world, b *backEnd) {
		path := "/enrollmentGroups/" + groupID
		text := b.do(200, "GET", path, "").body
		before, err := provisioning.ParseEnrollment([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		after := b.record(200, "PUT", path, strings.Replace(text, `"enabled"`, `"disabled"`, 1), "If-Match", before.ETag)
		if after.ETag == before.ETag || !after.Created.Equal(before.Created.Time) || after.CustomAllocation.WebhookURL != before.CustomAllocation.WebhookURL {
			t.Errorf("before %+v\nafter %+v", before, after)
		}
		if after.Attestation.SymmetricKey.Primary.Base64() != tutorialKey {
			t.Error("its keys are others")
		}
		if last := w.provisioned(toaster, key(t, toasterKey)); last.Status != "disabled" {
			t.Errorf("the device ended as %+v", last)
		}
		b.do(412, "PUT", path, text, "If-Match", before.ETag)
		b.do(412, "DELETE", path, "", "If-Match", before.ETag)
		b.do(200, "PUT", path, text, "If-Match", "*")
		if last := w.provisioned(toaster, key(t, toasterKey)); last.Status != "assigned" {
			t.Errorf("after it was enabled the device ended as %+v", last)
		}
	})
}

func TestSettingsOfReplacing(t *testing.T) {
	strict := func(t testing.TB) emulator.Config {
		cfg := served(t)
		cfg.Undocumented.ReplaceNeedsETag, cfg.Undocumented.ReplaceMakesKeys = true, true
		return cfg
	}
	inBubble(t, strict, func(t *testing.T, _ *world, b *backEnd) {
		path := "/enrollmentGroups/" + groupID
		shown := b.do(200, "GET", path, "")
		contains(t, "the conflict", b.do(409, "PUT", path, shown.body).body, `"errorCode":409202`)
		after := b.record(200, "PUT", path, shown.body, "If-Match", shown.header.Get("ETag"))
		if after.Attestation.SymmetricKey.Primary.Base64() == tutorialKey {
			t.Error("the keys have stayed")
		}
	})
}
