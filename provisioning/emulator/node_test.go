package emulator_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// TestMicrosoftsSDKRegisters is every way that a registration goes, as a
// developer sees it who calls Microsoft's Node SDK. The enrollments are made by
// Microsoft's service SDK.
func TestMicrosoftsSDKRegisters(t *testing.T) {
	var enrollments []emulator.Enrollment
	cloud, log := sdkCloud(t, func(cfg *emulator.Config) { enrollments, cfg.Enrollments = cfg.Enrollments, nil })
	sdk := startNode(t, cloud)
	sdk.enroll(t, enrollments...)
	tests := []struct {
		name, id string
		key      provisioning.Key
		payload  any
		check    func(*testing.T, nodeLine)
	}{
		{name: "a toaster", id: toaster, payload: args{"modelId": "dtmi:contoso:toaster;1"}, check: assigned(toastersHub, "")},
		{name: "a heat pump", id: heatpump, check: assigned(heatpumpsHub, "")},
		{name: "the webhook's payload", id: "device-well", key: hookedKey(), payload: args{"room": 499},
			check: assigned(heatpumpsHub, `{"room":"Küche","asked":{"room":499}}`)},
		{name: "a webhook that is busy at first", id: "device-%s-busy", key: hookedKey(), check: assigned(heatpumpsHub, `{"room":"Küche","asked":null}`)},
		{name: "refused by the webhook", id: "device-refused", key: hookedKey(),
			check: refused("ProvisioningRegistrationFailedError", "failed", 400207, "Custom allocation failed with status code: 400")},
		{name: "a webhook without a hub", id: "device-hubless", key: hookedKey(),
			check: refused("ProvisioningRegistrationFailedError", "failed", 400208, "Custom allocation did not specify an IoT hub.")},
		{name: "a webhook that asks for a key", id: "device-locked", key: hookedKey(),
			check: refused("ProvisioningRegistrationFailedError", "failed", 400209, "Custom allocation was refused access to the webhook.")},
		{name: "disabled individually", id: disabledID, check: refused("SyntaxError", "disabled", 0, "status is disabled")},
		{name: "a wrong key", id: toaster, key: provisioning.Key("of nobody's group"), check: refused("UnauthorizedError", "", 401000, "Unauthorized")},
	}
	for _, transport := range transports() {
		for _, test := range tests {
			t.Run(transport+"/"+test.name, func(t *testing.T) {
				id, key := strings.Replace(test.id, "%s", transport, 1), groupKey(t)
				if test.key != nil {
					key = test.key
				}
				with := sdk.registering(transport, id, key.Derive(id))
				if test.payload != nil {
					with["payload"] = test.payload
				}
				test.check(t, sdk.try(t, "register", with))
			})
		}
	}
	cloud.Close()
	if strings.Contains(log.String(), "connection closed") {
		t.Errorf("a device did not leave as it should, with UNSUBSCRIBE and DISCONNECT:\n%s", log)
	}
}

// TestMicrosoftsSDKNamesAnotherIDScope has no body over MQTT, where the service
// does not let such a device in.
func TestMicrosoftsSDKNamesAnotherIDScope(t *testing.T) {
	cloud, _ := sdkCloud(t, nil)
	sdk := startNode(t, cloud)
	for transport, check := range map[string]func(*testing.T, nodeLine){
		"mqtt":  refused("Error", "", 0, "Connection refused: Server unavailable"),
		"wss":   refused("Error", "", 0, "Connection refused: Server unavailable"),
		"https": refused("Error", "", 404208, "The ID scope is unknown."),
	} {
		t.Run(transport, func(t *testing.T) {
			with := sdk.registering(transport, toaster, groupKey(t).Derive(toaster))
			with["idScope"] = "0neFFFFFFFF"
			check(t, sdk.try(t, "register", with))
		})
	}
}

func transports() []string { return []string{"mqtt", "wss", "https"} }

// assigned checks a registration that went well, refused one that did not.
func assigned(hub, payload string) func(*testing.T, nodeLine) {
	return func(t *testing.T, line nodeLine) { checkAssigned(t, line, hub, payload) }
}

func refused(name, status string, code int, message string) func(*testing.T, nodeLine) {
	return func(t *testing.T, line nodeLine) { checkNodeError(t, line, name, status, code, message) }
}

// TestMicrosoftsSDKIsThrottledAndThenLetIn comes when the quota of a minute is
// used up, and then polls more often than it may. Over MQTT the SDK waits as it is
// told and says nothing of it.
func TestMicrosoftsSDKIsThrottledAndThenLetIn(t *testing.T) {
	for _, transport := range transports() {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			cloud, _ := sdkCloud(t, func(cfg *emulator.Config) {
				cfg.Quotas = emulator.RealQuotas * 10 / 1000 // a minute
				cfg.Undocumented.QuotaMeter = "bucket"       // the next turn comes in 6 s, longer than a busy machine takes
				cfg.Answers.Allocate = emulator.Exactly(3 * time.Second)
			})
			sdk := startNode(t, cloud)
			useUpQuota(t, cloud)
			before := cloud.Totals().Throttled
			start := time.Now()
			with := sdk.registering(transport, heatpump, groupKey(t).Derive(heatpump))
			line := sdk.try(t, "register", with)
			if transport == "https" {
				// Over HTTPS the SDK gives up at 429 and leaves the rest to its caller.
				checkNodeError(t, line, "ThrottlingError", "", 429001, "Operations are being throttled for this tenant.")
				return
			}
			checkAssigned(t, line, heatpumpsHub, "")
			if took := time.Since(start); took < 2*time.Second {
				t.Errorf("told after %s; after five polls the next has its turn in 2 s", took)
			}
			if got := cloud.Totals().Throttled - before; got < 2 {
				t.Errorf("%d throttled, want a registration and a poll", got)
			}
		})
	}
}

// useUpQuota registers until it is throttled, on a client that is quick.
func useUpQuota(t *testing.T, cloud *emulator.Cloud) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cloud.CA())
	d := connectPaho(t, func() (net.Conn, error) {
		return tls.Dial("tcp", cloud.Addr(), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	}, toaster, userName(toaster), token(key(t, toasterKey), scope+"/registrations/"+toaster, time.Hour))
	defer d.client.Disconnect(0)
	d.subscribe(answerFilter)
	for !strings.HasPrefix(d.ask(registerTopic, "").Topic(), "$dps/registrations/res/429/") {
	}
}

// TestMicrosoftsSDKProvesItselfByCertificate registers and joins without a key, as
// a device of a group and as one with an enrollment of its own.
func TestMicrosoftsSDKProvesItselfByCertificate(t *testing.T) {
	cloud, _ := sdkCloud(t, func(cfg *emulator.Config) { cfg.Enrollments = nil })
	sdk := startNode(t, cloud)
	theirs := must[*provisioning.Authority](t)(provisioning.NewAuthority("Contoso root", time.Now()))
	own := must[tls.Certificate](t)(provisioning.SelfSigned(x509ID, time.Now()))
	leaf := must[provisioning.Certificate](t)(provisioning.LeafOf(own))
	sdk.enroll(t, emulator.Enrollment{Enrollment: provisioning.Enrollment{
		EnrollmentGroupID: "enrolled-by-certificate", Attestation: attests(nil, pair(theirs)), Allocation: provisioning.AllocateStatic,
	}}, emulator.Enrollment{Enrollment: provisioning.Enrollment{
		RegistrationID: x509ID, Attestation: attests(provisioning.NewX509Certificates(leaf, provisioning.Certificate{}), nil),
		Allocation: provisioning.AllocateStatic,
	}})
	for id, certificate := range map[string]tls.Certificate{toaster: must[tls.Certificate](t)(theirs.IssueClient(toaster)), x509ID: own} {
		chain, private, err := provisioning.PairPEM(certificate)
		if err != nil {
			t.Fatal(err)
		}
		for _, transport := range transports() {
			t.Run(id+"/"+transport, func(t *testing.T) {
				sdk.boots(t, transport, id, args{"cert": string(chain), "key": string(private)})
			})
		}
	}
}

// boots registers and joins by a certificate.
func (n *nodeProcess) boots(t *testing.T, transport, id string, pair args) {
	t.Helper()
	with := n.registering(transport, id, nil)
	with["certificate"] = pair
	checkAssigned(t, n.try(t, "register", with), toastersHub, "")
	if transport == "https" {
		return // the SDK's device has no such transport that receives
	}
	with = n.joining(transport, toastersHub, id, nil)
	with["certificate"] = pair
	n.do(t, "connect", with, nil)
	n.do(t, "twin", args{"device": id}, nil)
	n.do(t, "close", args{"device": id}, nil)
}

func groupKey(t testing.TB) provisioning.Key { return key(t, tutorialKey) }

func checkAssigned(t *testing.T, line nodeLine, hub, payload string) {
	t.Helper()
	if line.Error != nil {
		t.Fatalf("%s: %s (%+v)", line.Error.Name, line.Error.Message, line.Error.Result)
	}
	var state struct {
		AssignedHub, Status, Substatus, ETag string
		CreatedDateTimeUtc                   time.Time
		Payload                              json.RawMessage
	}
	if err := json.Unmarshal(line.Result, &state); err != nil {
		t.Fatal(err)
	}
	if state.AssignedHub != hub || state.Status != "assigned" || state.ETag == "" || state.CreatedDateTimeUtc.IsZero() {
		t.Errorf("the SDK returned %s, want assigned to %s", line.Result, hub)
	}
	if string(state.Payload) != payload {
		t.Errorf("the SDK returned payload %s, want %s", state.Payload, payload)
	}
}

func checkNodeError(t *testing.T, line nodeLine, name, status string, code int, message string) {
	t.Helper()
	if line.Error == nil {
		t.Fatalf("the SDK returned %s, want %s", line.Result, name)
	}
	got := line.Error.Result
	if got.ErrorCode == 0 {
		got.ErrorCode, got.Message = got.State.ErrorCode, got.State.ErrorMessage
	}
	if got.ErrorCode == 0 {
		got.Message = line.Error.Message // the SDK's own words
	}
	if line.Error.Name != name || got.Status != status || got.ErrorCode != code || got.Message != message {
		t.Errorf("the SDK threw %s: %s (%+v), want %s with %q %d %q", line.Error.Name, line.Error.Message, got, name, status, code, message)
	}
}
