package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
)

// lives runs each of parts in a cloud of its own; they share a state file.
func lives(t *testing.T, cfg func() emulator.Config, parts ...func(*world, *backEnd)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	for _, part := range parts {
		synctest.Test(t, func(t *testing.T) {
			now := cfg()
			now.State = path
			w := startIn(t, now)
			defer w.close()
			part(w, w.backEnd())
		})
	}
}

func TestADeviceIsKnownAfterARestart(t *testing.T) {
	var hub, twin, registered string
	lives(t, func() emulator.Config { return served(t) },
		func(w *world, _ *backEnd) {
			first := w.provisioned(toaster, key(t, toasterKey))
			hub = first.State.AssignedHub
			if _, err := w.cloud.PatchDesired(hub, toaster, []byte(`{"a < b":  1}`)); err == nil {
				t.Error("a hub takes a key with a space")
			}
			if _, err := w.cloud.PatchDesired(hub, toaster, []byte(`{"z<": [1,  2],"a":"ä"}`)); err != nil {
				t.Fatal(err)
			}
			twin, registered = remember(t, w, hub)
		},
		func(w *world, _ *backEnd) {
			nowTwin, nowRegistered := remember(t, w, hub)
			if nowTwin != twin || nowRegistered != registered {
				t.Errorf("before %s %s\nafter  %s %s", twin, registered, nowTwin, nowRegistered)
			}
			last := w.provisioned(toaster, key(t, toasterKey))
			asked := w.recorded(provisioning.ExchangeAllocate)
			if len(asked) != 1 {
				t.Fatalf("the webhook was asked %d times", len(asked))
			}
			contains(t, "what the webhook was asked", string(asked[0].Asked), `"currentIotHubHostName":"`+hub+`","currentDeviceId":"`+toaster+`"`)
			if again, _ := remember(t, w, hub); again != twin || last.State.AssignedHub != hub {
				t.Errorf("it came to %s with the twin %s", last.State.AssignedHub, again)
			}
		})
}

// remember is all that is known of the toaster, as text.
func remember(t *testing.T, w *world, hub string) (twin, registered string) {
	t.Helper()
	at, known := w.cloud.Twin(hub, toaster)
	state, there := w.cloud.Registration(toaster)
	if !known || !there {
		t.Errorf("hub %v, DPS %v know the device", known, there)
	}
	return fmt.Sprintf("%s tags %s", at.JSON(), at.Tags), string(state.JSON())
}

func TestWhatBackEndsChangedOutlivesARestart(t *testing.T) {
	var made, service string
	cfg := func() emulator.Config {
		cfg := served(t)
		cfg.Enrollments = append(cfg.Enrollments, individual(heatpump, nil), emulator.Enrollment{
			Enrollment: provisioning.Enrollment{EnrollmentGroupID: "deleted"},
		})
		return cfg
	}
	lives(t, cfg,
		func(w *world, b *backEnd) {
			b.do(204, "DELETE", "/enrollmentGroups/deleted", "")
			b.do(200, "PUT", "/enrollments/new", `{"registrationId":"new","attestation":{"type":"symmetricKey"},"initialTwin":{"tags":{"b": 1}}}`)
			shown := b.do(200, "GET", "/enrollmentGroups/"+groupID, "").body
			b.do(200, "PUT", "/enrollmentGroups/"+groupID, strings.Replace(shown, `"iotEdge":false`, `"iotEdge":true`, 1))
			made, service = allKeys(w), w.cloud.ServiceConnectionString()
		},
		func(w *world, b *backEnd) {
			if now := allKeys(w); now != made || w.cloud.ServiceConnectionString() != service {
				t.Errorf("before %s\nafter  %s", made, now)
			}
			b.do(404, "GET", "/enrollmentGroups/deleted", "")
			contains(t, "the new enrollment", b.do(200, "GET", "/enrollments/new", "").body, `"tags":{"b": 1}`)
			contains(t, "the group", b.do(200, "GET", "/enrollmentGroups/"+groupID, "").body, `"iotEdge":true`)
			w.provisioned(toaster, key(t, toasterKey)) // at the policy's new address
		})
}

func allKeys(w *world) (text string) {
	for _, e := range w.cloud.Enrollments() {
		text += fmt.Sprintln(e.ID(), e.Attestation.SymmetricKey.Primary.Base64(), e.Attestation.SymmetricKey.Secondary.Base64())
	}
	return text
}

func TestACloudStartsEmptyForItsBackEnds(t *testing.T) {
	empty := func(t testing.TB) emulator.Config {
		cfg := served(t)
		cfg.Enrollments = nil
		return cfg
	}
	inBubble(t, empty, func(t *testing.T, w *world, b *backEnd) {
		made := b.record(200, "PUT", "/enrollmentGroups/mine", `{"enrollmentGroupId":"mine","attestation":{"type":"symmetricKey"}}`)
		if last := w.provisioned(toaster, made.Attestation.SymmetricKey.Primary.Derive(toaster)); last.Status != "assigned" {
			t.Errorf("the device ended as %+v", last)
		}
	})
}

func TestAnotherDeclarationWins(t *testing.T) {
	status, made := provisioning.ProvisioningStatus(""), provisioning.Key{}
	cfg := func() emulator.Config {
		cfg := served(t)
		cfg.Enrollments = []emulator.Enrollment{{Enrollment: provisioning.Enrollment{EnrollmentGroupID: "mine", Provisioning: status}}}
		return cfg
	}
	lives(t, cfg,
		func(w *world, _ *backEnd) {
			made, _ = w.cloud.Key("mine")
			status = provisioning.ProvisioningDisabled
		},
		func(w *world, b *backEnd) {
			if e := b.record(200, "GET", "/enrollmentGroups/mine", ""); e.Provisioning != status {
				t.Errorf("it is %s", e.Provisioning)
			}
			if now, _ := w.cloud.Key("mine"); now.Base64() != made.Base64() {
				t.Error("its made key is another")
			}
		})
}

func TestAnAllocationThatRanAtTheEndIsForgotten(t *testing.T) {
	var operation string
	cfg := func() emulator.Config {
		cfg, slow := served(t), emulator.Realistic()
		cfg.Answers = &slow
		cfg.Enrollments = hooked(t).Enrollments // nobody is there, so it is called again and again
		return cfg
	}
	lives(t, cfg,
		func(w *world, _ *backEnd) {
			c := w.device(toaster)
			defer c.nc.Close()
			operation = c.register(t)
		},
		func(w *world, _ *backEnd) {
			if state, known := w.cloud.Registration(toaster); known {
				t.Errorf("the device is %+v", state)
			}
			c := w.device(toaster)
			defer c.nc.Close()
			checkRefusal(t, c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId="+operation, ""), "404 404203 Operation not found.")
		})
}

func TestClientsTrustOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	var before []byte
	for range 2 {
		cfg := contoso(t)
		cfg.TLS, cfg.State = true, path
		w := startIn(t, cfg)
		if before != nil && !bytes.Equal(before, w.cloud.CA()) {
			t.Error("the authority is another")
		}
		before = w.cloud.CA()
		_, err := emulator.New(context.Background(), cfg)
		if err == nil || !strings.Contains(err.Error(), path+" is in use by another process") {
			t.Errorf("a second cloud on the same file: %v", err)
		}
		w.close()
	}
}

func TestAnAuthorityThatExpiresSoonIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		var authorities []string
		for _, wait := range []time.Duration{0, 300 * 24 * time.Hour, 60 * 24 * time.Hour} {
			time.Sleep(wait)
			cfg := contoso(t)
			cfg.TLS, cfg.State = true, path
			w := startIn(t, cfg)
			authorities = append(authorities, string(w.cloud.CA()))
			w.close()
		}
		if authorities[0] != authorities[1] || authorities[1] == authorities[2] {
			t.Error("after 300 days it must be the same, and after 360 another")
		}
	})
}

// BenchmarkRegisterCycleKept is BenchmarkRegisterCycle with a state file.
func BenchmarkRegisterCycleKept(b *testing.B) {
	cfg, fast := contoso(b), emulator.Fast()
	cfg.Answers, cfg.Enrollments = &fast, []emulator.Enrollment{static(b)}
	cfg.State = filepath.Join(b.TempDir(), "state")
	w := quiet(b, cfg)
	defer w.close()
	b.ReportAllocs()
	for b.Loop() {
		c := w.device(toaster)
		id := c.register(b)
		var last operation
		answer := c.ask(1, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId="+id, "")
		if err := json.Unmarshal(answer.Payload, &last); err != nil || last.Status != "assigned" {
			b.Fatal(last.Status, err)
		}
		c.nc.Close()
	}
}

func TestManyDevicesOutliveARestart(t *testing.T) {
	const devices = 50
	id := func(i int) string { return fmt.Sprintf("room%d-contoso-hpsd-088", i) }
	lives(t, func() emulator.Config { return served(t) },
		func(w *world, _ *backEnd) {
			var wg sync.WaitGroup
			for i := range devices {
				wg.Go(func() { w.provisioned(id(i), deviceKeyOf(t, id(i))) })
			}
			wg.Wait()
		},
		func(w *world, _ *backEnd) {
			for i := range devices {
				if _, known := w.cloud.Registration(id(i)); !known {
					t.Errorf("%s is not known", id(i))
				}
				if _, known := w.cloud.Twin(heatpumpsHub, id(i)); !known {
					t.Errorf("%s has no twin", id(i))
				}
			}
		})
}
