package device_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/memnet"
)

func compiled(t *testing.T, m device.Model) *device.Kind {
	t.Helper()
	kind, err := m.Compile("test")
	if err != nil {
		t.Fatal(err)
	}
	return kind
}

func made(t *testing.T, m device.Model, n device.Number) device.Device {
	t.Helper()
	d, err := compiled(t, m).Make(n)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestModelsAreTheTutorials(t *testing.T) {
	const payload = `{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0"}`
	tests := []struct {
		model string
		n     int
		id    string
	}{
		{"toaster", 499, "breakroom499-contoso-tstrsd-007"},
		{"heatpump", 167, "mainbuilding167-contoso-hpsd-088"},
	}
	for _, test := range tests {
		d := made(t, device.Models()[test.model], device.Number{Fleet: "f", N: test.n, Boot: 1})
		if d.ID != test.id || string(d.Payload) != payload {
			t.Errorf("%s %d is %s with %s", test.model, test.n, d.ID, d.Payload)
		}
	}
}

func TestTemplatesFillIn(t *testing.T) {
	tests := []struct{ name, payload, want string }{
		{"OrderStays", `{"b":"{{.N}}", "a":1,"c":[ "{{.Fleet}}" ]}`, `{"b":"7", "a":1,"c":[ "cellar" ]}`},
		{"NumberHasNoQuotes", `{"n":"{{add .N 1 | number}}"}`, `{"n":8}`},
		{"TextIsQuoted", `{"n":"{{\"a\\\"b<&\"}}"}`, `{"n":"a\"b<&"}`},
		{"Pad", `{"n":"{{pad 3 .N}}"}`, `{"n":"007"}`},
		{"If", `{"n":"{{if eq .Fleet \"cellar\"}}down{{else}}up{{end}}"}`, `{"n":"down"}`},
		{"Choose", `{"n":"{{choose .N 7 \"seven\" \"other\"}}"}`, `{"n":"seven"}`},
		{"ChooseOther", `{"n":"{{choose .N 8 \"eight\" \"other\"}}"}`, `{"n":"other"}`},
		{"DesiredWithoutATwin", `{"n":"{{desired \"state\" \"ready\"}}"}`, `{"n":"ready"}`},
		{"IDIsKnown", `{"n":"{{.ID | upper}}"}`, `{"n":"D7"}`},
		{"PlainBracesStay", `{"n":"a { b } c"}`, `{"n":"a { b } c"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := device.Model{RegistrationID: "d{{.N}}", Payload: json.RawMessage(test.payload)}
			d := made(t, m, device.Number{Fleet: "cellar", N: 7, Boot: 1})
			if string(d.Payload) != test.want {
				t.Errorf("got %s, want %s", d.Payload, test.want)
			}
		})
	}
}

func TestChanceIsTheDevicesOwn(t *testing.T) {
	m := device.Model{RegistrationID: "d{{.N}}", Payload: json.RawMessage(`{"a":"{{hex 16}}","b":"{{between 1 1000000}}","c":"{{pick \"x\" \"y\"}}"}`)}
	number := device.Number{Fleet: "f", N: 1, Boot: 1, Seed: 1}
	first := made(t, m, number)
	if again := made(t, m, number); string(again.Payload) != string(first.Payload) {
		t.Errorf("one device under one seed: %s and %s", first.Payload, again.Payload)
	}
	for _, other := range []device.Number{
		{Fleet: "f", N: 2, Boot: 1, Seed: 1}, {Fleet: "g", N: 1, Boot: 1, Seed: 1}, {Fleet: "f", N: 1, Boot: 1, Seed: 2},
	} {
		if d := made(t, m, other); string(d.Payload) == string(first.Payload) {
			t.Errorf("%+v has the payload of %+v", other, number)
		}
	}
}

// A model is somebody else's text: what it may not do is said, not done.
func TestModelsThatAreRefused(t *testing.T) {
	payload := func(text string) device.Model {
		return device.Model{RegistrationID: "d{{.N}}", Payload: json.RawMessage(text)}
	}
	tests := []struct {
		name  string
		model device.Model
		says  string
	}{
		{"UnknownField", device.Model{RegistrationID: "d{{.M}}"}, "registrationId: template"},
		{"UnknownFunction", device.Model{RegistrationID: "{{now}}"}, `function "now" not defined`},
		{"Loop", device.Model{RegistrationID: "{{range 1000000000}}x{{end}}"}, "is not taken"},
		{"Printf", device.Model{RegistrationID: `{{printf "%1000000000d" 1}}`}, "the function printf is not taken"},
		{"Definition", device.Model{RegistrationID: `{{define "x"}}{{end}}d`}, "define and block are not taken"},
		{"Call", device.Model{RegistrationID: `{{template "x"}}`}, "is not taken"},
		{"Variable", device.Model{RegistrationID: `{{$x := 1}}d`}, "variables are not taken"},
		{"TooLong", device.Model{RegistrationID: strings.Repeat("d", 5000)}, "the template has 5000 bytes"},
		{"WidePad", device.Model{RegistrationID: "{{pad 1000000000 .N}}"}, "pad makes 1 to 64 digits"},
		{"WideHex", device.Model{RegistrationID: "{{hex 1000000000}}"}, "hex makes 1 to 64 digits"},
		{"IllegalID", device.Model{RegistrationID: "a b{{.N}}"}, "registrationId: the registration id"},
		{"EmptyID", device.Model{}, "registrationId: the registration id is empty"},
		{"PayloadIsAList", payload(`[1]`), "payload: must be an object"},
		{"TemplateInAName", payload(`{"{{.N}}":1}`), "is a name; only values are templates"},
		{"NotANumber", payload(`{"n":"{{.Fleet | number}}"}`), `"fleet" is not a number`},
		{"NothingBetween", payload(`{"n":"{{between 5 1}}"}`), "there is nothing"},
		{"EmptyPick", payload(`{"n":"{{pick}}"}`), "pick needs something"},
		{"ChanceInTheMiddle", payload(`{"n":"{{upper hex 3}}"}`), "in brackets"},
		{"ChooseWithoutOther", payload(`{"n":"{{choose 1 1 2}}"}`), "one more value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.model.Compile("m")
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want something with %q", err, test.says)
			}
		})
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	m := device.Model{RegistrationID: "{{now}}", Payload: json.RawMessage(`[]`), Reported: json.RawMessage(`{"a":"{{b}}"}`)}
	_, err := m.Compile("m")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three lines, got\n%v", err)
	}
}

func TestWithAddsToThePayload(t *testing.T) {
	m, err := device.Models()["toaster"].With(json.RawMessage(`{"deviceType":"toaster"}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0","deviceType":"toaster"}`
	if string(m.Payload) != want {
		t.Errorf("got %s, want %s", m.Payload, want)
	}
	if _, err := m.With(json.RawMessage(`{"deviceType":"oven"}`)); err == nil {
		t.Error("a member came twice and nobody said so")
	}
	empty, err := device.Model{Payload: json.RawMessage(`{}`)}.With(json.RawMessage(`{"a":1}`))
	if err != nil || string(empty.Payload) != `{"a":1}` {
		t.Errorf("got %s, %v", empty.Payload, err)
	}
}

// A held device costs one goroutine: the cloud's end in this test has one too.
func TestHeldDeviceIsOneGoroutine(t *testing.T) {
	const devices = 40
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		l, err := network.Listen("tcp", endpoint)
		if err != nil {
			t.Fatal(err)
		}
		s := good()
		s.polls = []reply{assigned}
		kind := compiled(t, device.Models()["toaster"])
		target := &device.Target{Endpoint: endpoint, Gateway: endpoint, IDScope: "s", Dial: network.Dial}
		var fleet sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		s.wants.Go(func() { s.serve(ctx, l) })
		for n := range devices {
			d, err := kind.Make(device.Number{Fleet: "f", N: n, Boot: 1})
			if err != nil {
				t.Fatal(err)
			}
			d.Key, d.Until = provisioning.Key("key"), device.UntilOnline
			fleet.Go(func() { d.Run(ctx, target, time.Now(), func(device.Event) {}) })
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := goroutines("dpsfleet/device.(*Device).Run("); got != devices {
			t.Errorf("%d held devices run in %d goroutines", devices, got)
		}
		if got := goroutines("dpsfleet/provisioning/"); got != 2*devices+1 {
			t.Errorf("%d held devices, their ends in the cloud and its listener are %d goroutines, want one each", devices, got)
		}
		stop()
		l.Close()
		fleet.Wait()
		s.wants.Wait()
	})
}

// goroutines counts those that have some function on their stack.
func goroutines(function string) int {
	stacks := make([]byte, 4<<20)
	n := 0
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, function) {
			n++
		}
	}
	return n
}

func FuzzModel(f *testing.F) {
	f.Add("d{{.N}}", `{"a":"{{pick 1 2}}","b":[{"c":"{{hex 4 | upper}}"}]}`)
	f.Add("{{if eq .N 1}}a{{end}}b", `{"x":"{{between 1 2 | number}}"}`)
	f.Add("{{desired \"a\" 1}}", `{"\u007b{":"\u007b\u007b.N}}"}`)
	f.Fuzz(func(t *testing.T, id, payload string) {
		kind, err := device.Model{RegistrationID: id, Payload: json.RawMessage(payload)}.Compile("f")
		if err != nil {
			return
		}
		d, err := kind.Make(device.Number{Fleet: "f", N: 3, Boot: 1, Seed: 5})
		if err != nil {
			return
		}
		if len(d.Payload) > 0 && !json.Valid(d.Payload) {
			t.Errorf("%s gave %s, which is not JSON", payload, d.Payload)
		}
		if len(d.Payload) > provisioning.MaxMessage {
			t.Errorf("a payload of %d bytes", len(d.Payload))
		}
	})
}
