package device_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

func TestBootReadsItsTwinAndLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := play(t, t.Context(), good())
		const life = "0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 6s off"
		if b.life != life {
			t.Errorf("life\n got %s\nwant %s", b.life, life)
		}
		want := []string{
			"CONNECT 0ne00002193/registrations/breakroom1-contoso-tstrsd-007/api-version=2019-03-31&ClientVersion=dpsfleet%2Ftest keep-alive 3m0s clean true",
			"SUBSCRIBE $dps/registrations/res/#",
			`PUBLISH $dps/registrations/PUT/iotdps-register/?$rid=1 {"registrationId":"breakroom1-contoso-tstrsd-007","payload":{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0"}}`,
			"PUBLISH $dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=4.op ",
			"PUBLISH $dps/registrations/GET/iotdps-get-operationstatus/?$rid=3&operationId=4.op ",
			"DISCONNECT",
			"CONNECT hub.azure-devices.net/breakroom1-contoso-tstrsd-007/?api-version=2021-04-12 keep-alive 4m0s clean false",
			"SUBSCRIBE $iothub/twin/res/#",
			"SUBSCRIBE $iothub/twin/PATCH/properties/desired/#",
			"PUBLISH $iothub/twin/GET/?$rid=4 ",
			`PUBLISH $iothub/twin/PATCH/properties/reported/?$rid=5 {"state":"ready","darknessSetting":"dark"}`,
			"DISCONNECT",
		}
		if !slices.Equal(b.seen, want) {
			t.Errorf("the cloud saw\n%s\nwant\n%s", strings.Join(b.seen, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Each row is a cloud that is not well, and what a device makes of it, to the
// moment where the pauses are the service's and within the jitter where they
// are ours (seed 7 makes that exact too).
func TestBootAgainst(t *testing.T) {
	until := func(u device.Until) change { return func(d *device.Device, _ *device.Target) { d.Until = u } }
	tests := []struct {
		name    string
		cloud   func(*script)
		changes []change
		life    string
		outcome device.Outcome
		result  provisioning.Result
		code    provisioning.Code
	}{
		{
			name: "UntilAssigned", changes: []change{until(device.UntilAssigned)},
			life: "0s dialing; 0s registering; 0s assigning; 6s off",
		},
		{
			name:  "ThrottledRegistrationKeepsRetryAfterExactly",
			cloud: func(s *script) { r := throttled; r.retryAfter = "7"; s.registers = []reply{r, accepted} },
			life:  "0s dialing; 0s registering; 0s waiting; 7s registering; 7s assigning; 13s joining; 13s twinning; 13s online; 13s off",
		},
		{
			name:  "ThrottledPollKeepsRetryAfterExactly",
			cloud: func(s *script) { r := throttled; r.retryAfter = "5"; s.polls = []reply{r, assigned} },
			life:  "0s dialing; 0s registering; 0s assigning; 3s waiting; 8s assigning; 8s joining; 8s twinning; 8s online; 8s off",
		},
		{
			name: "NoRetryAfterPollsEveryTwoSeconds",
			cloud: func(s *script) {
				a := accepted
				a.retryAfter = ""
				s.registers = []reply{a}
				s.polls = []reply{assigned}
			},
			life: "0s dialing; 0s registering; 0s assigning; 2s joining; 2s twinning; 2s online; 2s off",
		},
		{
			name: "RetryAfterZeroPollsAtOnce",
			cloud: func(s *script) {
				a := accepted
				a.retryAfter = "0"
				s.registers = []reply{a}
				s.polls = []reply{assigned}
			},
			life: "0s dialing; 0s registering; 0s assigning; 0s joining; 0s twinning; 0s online; 0s off",
		},
		{
			name: "RetryAfterZeroAgainAndAgainIsNoSpin",
			cloud: func(s *script) {
				a, again := accepted, assigning
				a.retryAfter, again.retryAfter = "0", "0"
				s.registers = []reply{a}
				s.polls = append(slices.Repeat([]reply{again}, 11), assigned) // pauses of 1, 2, 4 to 512 ms and 1 s
			},
			life: "0s dialing; 0s registering; 0s assigning; 2.023s joining; 2.023s twinning; 2.023s online; 2.023s off",
		},
		{
			name:    "FailedWith400207",
			cloud:   func(s *script) { s.polls = []reply{failed(400207)} },
			life:    "0s dialing; 0s registering; 0s assigning; 3s failed",
			outcome: device.OutcomeFailed, result: provisioning.ResultDevAuthError, code: 400207,
		},
		{
			name:    "FailedWith400208",
			cloud:   func(s *script) { s.polls = []reply{failed(400208)} },
			life:    "0s dialing; 0s registering; 0s assigning; 3s failed",
			outcome: device.OutcomeFailed, result: provisioning.ResultHubNotSpecified, code: 400208,
		},
		{
			name:    "FailedWith400209",
			cloud:   func(s *script) { s.polls = []reply{failed(400209)} },
			life:    "0s dialing; 0s registering; 0s assigning; 3s failed",
			outcome: device.OutcomeFailed, result: provisioning.ResultUnauthorized, code: 400209,
		},
		{
			name: "Disabled",
			cloud: func(s *script) {
				s.polls = []reply{{status: 200, body: `{"operationId":"4.op","status":"disabled","registrationState":{"registrationId":"d","status":"disabled"}}`}}
			},
			life:    "0s dialing; 0s registering; 0s assigning; 3s failed",
			outcome: device.OutcomeDisabled, result: provisioning.ResultDisabled,
		},
		{
			name: "WrongKeyIsNeverTriedAgain",
			cloud: func(s *script) {
				s.registers = []reply{{status: 401, body: `{"errorCode":401000,"message":"Unauthorized"}`}}
			},
			life:    "0s dialing; 0s registering; 0s failed",
			outcome: device.OutcomeRefused, result: provisioning.ResultDevAuthError, code: 401000,
		},
		{
			name:    "UnknownOperationIsNeverTriedAgain",
			cloud:   func(s *script) { s.polls = []reply{{status: 404, body: `{"errorCode":404203}`}} },
			life:    "0s dialing; 0s registering; 0s assigning; 3s failed",
			outcome: device.OutcomeRefused, result: provisioning.ResultDevAuthError, code: 404203,
		},
		{
			name:    "Connack5IsNeverTriedAgain",
			cloud:   func(s *script) { s.dps = []byte{5} },
			life:    "0s dialing; 0s registering; 0s failed",
			outcome: device.OutcomeRefused, result: provisioning.ResultDevAuthError,
		},
		{
			name:    "Connack3GivesUpAfterFourAttempts",
			cloud:   func(s *script) { s.dps = []byte{3} },
			life:    "0s dialing; 0s registering; 0s waiting; {1} dialing; {1} registering; {1} waiting; {2} dialing; {2} registering; {2} waiting; {4} dialing; {4} registering; {4} failed",
			outcome: device.OutcomeRefused, result: provisioning.ResultDevAuthError,
		},
		{
			name:  "Connack3OnceIsTriedAgain",
			cloud: func(s *script) { s.dps = []byte{3, 0} },
			life:  "0s dialing; 0s registering; 0s waiting; {1} dialing; {1} registering; {1} assigning; {1+6s} joining; {1+6s} twinning; {1+6s} online; {1+6s} off",
		},
		{
			name:  "BrokenServiceIsTriedAgainOverTheSameConnection",
			cloud: func(s *script) { s.registers = []reply{broken, accepted} },
			life:  "0s dialing; 0s registering; 0s waiting; {1} registering; {1} assigning; {1+6s} joining; {1+6s} twinning; {1+6s} online; {1+6s} off",
		},
		{
			name:  "LostConnectionWhileAssigningPollsOnOverANewOne",
			cloud: func(s *script) { s.polls = []reply{{hangUp: true}, assigned} },
			life:  "0s dialing; 0s registering; 0s assigning; 3s waiting; {3s+1} dialing; {3s+1} registering; {3s+1} assigning; {3s+1} joining; {3s+1} twinning; {3s+1} online; {3s+1} off",
		},
		{
			name:  "SilenceIsALostConnectionAfterThirtySeconds",
			cloud: func(s *script) { s.registers = []reply{{silence: true}, accepted} },
			life:  "0s dialing; 0s registering; 30s waiting; {30s+1} dialing; {30s+1} registering; {30s+1} assigning; {30s+1+6s} joining; {30s+1+6s} twinning; {30s+1+6s} online; {30s+1+6s} off",
		},
		{
			name:    "NonsenseIsNotTriedAgain",
			cloud:   func(s *script) { s.registers = []reply{{status: 202, body: "<html>"}} },
			life:    "0s dialing; 0s registering; 0s failed",
			outcome: device.OutcomeFailed, result: provisioning.ResultParsing,
		},
		{
			name:    "AssignedWithoutAHubIsNonsense",
			cloud:   func(s *script) { s.polls = []reply{{status: 200, body: `{"operationId":"4.op","status":"assigned"}`}} },
			life:    "0s dialing; 0s registering; 0s assigning; 3s failed",
			outcome: device.OutcomeFailed, result: provisioning.ResultParsing,
		},
		{
			name: "UndeclaredHubIsNeverDialled",
			changes: []change{func(_ *device.Device, target *device.Target) {
				target.Declared = func(string) bool { return false }
			}},
			life:    "0s dialing; 0s registering; 0s assigning; 6s joining; 6s failed",
			outcome: device.OutcomeHubNotDeclared, result: provisioning.ResultOK,
		},
		{
			name:    "HubRefusesTheToken",
			cloud:   func(s *script) { s.hub = []byte{5} },
			life:    "0s dialing; 0s registering; 0s assigning; 6s joining; 6s failed",
			outcome: device.OutcomeRefused, result: provisioning.ResultDevAuthError,
		},
		{
			name:  "HubIsUnavailableOnce",
			cloud: func(s *script) { s.hub = []byte{3, 0} },
			life:  "0s dialing; 0s registering; 0s assigning; 6s joining; 6s waiting; {6s+1} joining; {6s+1} twinning; {6s+1} online; {6s+1} off",
		},
		{
			name:    "BootTimeEndsIt",
			cloud:   func(s *script) { s.polls = []reply{assigning} },
			changes: []change{func(_ *device.Device, target *device.Target) { target.Limits.Boot = 20 * time.Second }},
			life:    "0s dialing; 0s registering; 0s assigning; 20s failed",
			outcome: device.OutcomeTimeout, result: provisioning.ResultTimeout,
		},
		{
			name:    "NobodyThere",
			changes: []change{func(_ *device.Device, target *device.Target) { target.Endpoint = "127.0.0.1:1" }},
			life:    "0s dialing; 0s waiting; {1} dialing; {1} waiting; {2} dialing; {2} waiting; {4} dialing; {4} failed",
			outcome: device.OutcomeUnreachable, result: provisioning.ResultTransport,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := good()
				if test.cloud != nil {
					test.cloud(s)
				}
				b := play(t, t.Context(), s, test.changes...)
				if want := withBackoff(t, test.life, b); b.life != want {
					t.Errorf("life\n got %s\nwant %s", b.life, want)
				}
				if test.outcome == "" {
					return
				}
				f := b.failure(t)
				if f.Outcome != test.outcome || f.Result != test.result || f.Code != test.code {
					t.Errorf("ended as %s %s %d (%v), want %s %s %d", f.Outcome, f.Result, f.Code, f, test.outcome, test.result, test.code)
				}
			})
		})
	}
}

// withBackoff fills the moments of a life that depend on our own back-off: {1},
// {2}, {4} are the moments after pauses of 1 s, 2 s and 4 s, each give or take a
// quarter. It takes them from the boot and checks the pauses.
func withBackoff(t *testing.T, life string, b boot) string {
	t.Helper()
	var total time.Duration
	pause := time.Second
	for i, e := range b.events {
		if e.To != device.Waiting || i+1 == len(b.events) {
			continue
		}
		in := b.events[i+1].In
		name := pauseName(pause)
		if strings.Contains(life, "{"+name) || strings.Contains(life, "+"+name) {
			if in < pause*3/4 || in > pause*5/4 {
				t.Errorf("paused for %s, want %s give or take a quarter", in, pause)
			}
			total += in
			for _, form := range []struct {
				text string
				at   time.Duration
			}{
				{"{" + name + "}", total}, {"{" + name + "+6s}", total + 6*time.Second},
				{"{3s+" + name + "}", total + 3*time.Second}, {"{6s+" + name + "}", total + 6*time.Second},
				{"{30s+" + name + "}", total + 30*time.Second}, {"{30s+" + name + "+6s}", total + 36*time.Second},
			} {
				life = strings.ReplaceAll(life, form.text, form.at.Round(time.Millisecond).String())
			}
			pause *= 2
		}
	}
	return life
}

func pauseName(d time.Duration) string { return strings.TrimSuffix(d.String(), "s") }

func TestStagesAddUpFromWhenTheBootWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := play(t, t.Context(), good())
		var sum time.Duration
		for _, e := range b.events {
			sum += e.In
		}
		if want := b.events[len(b.events)-1].At.Sub(b.events[0].At) + b.events[0].In; sum != want {
			t.Errorf("the stages add up to %s, want %s", sum, want)
		}
	})
}

func TestEventsCarryTheVerdictAndTheTwin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := play(t, t.Context(), good())
		joining, online := b.events[3], b.events[5]
		a := joining.Assignment
		if a == nil || a.Hub != hubName || a.Substatus != "initialAssignment" || string(a.Payload) != `{"from":"webhook"}` || joining.Polls != 2 {
			t.Errorf("left Assigning with %+v after %d polls", a, joining.Polls)
		}
		if got := object(t, online.Desired)["darknessSetting"]; got != "dark" {
			t.Errorf("came online with darknessSetting %v, want dark", got)
		}
	})
}

func TestPowerCutLetsTheDeviceLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(4*time.Second, cancel)
		b := play(t, ctx, good())
		if f := b.failure(t); f.Outcome != device.OutcomeInterrupted || b.life != "0s dialing; 0s registering; 0s assigning; 4s failed" {
			t.Errorf("ended as %s after %s", f.Outcome, b.life)
		}
	})
}

func stays(stay, telemetry time.Duration) change {
	return func(d *device.Device, _ *device.Target) {
		d.Until, d.Stay, d.Telemetry = device.UntilOnline, stay, telemetry
	}
}

func TestOnlineSendsTelemetryAndLeavesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := play(t, t.Context(), good(), stays(25*time.Second, 10*time.Second))
		if !strings.HasSuffix(b.life, "6s online; 31s off") {
			t.Errorf("life %s", b.life)
		}
		sent := 0
		for _, line := range b.seen {
			if strings.Contains(line, "messages/events/%24.ct=application%2Fjson&%24.ce=utf-8 ") {
				sent++
				if !strings.Contains(line, `"darknessSetting":"dark","slotTemperature":2`) {
					t.Errorf("telemetry does not follow the twin: %s", line)
				}
			}
		}
		if sent != 3 {
			t.Errorf("sent %d messages in 25 s, want 3", sent)
		}
	})
}

func TestOnlineReportsAChangeOfItsDesiredProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := good()
		s.pushes = []push{{after: 2 * time.Second, topic: "$iothub/twin/PATCH/properties/desired/?$version=2", body: `{"darknessSetting":"light","$version":2}`}}
		b := play(t, t.Context(), s, stays(5*time.Second, 0))
		want := `PUBLISH $iothub/twin/PATCH/properties/reported/?$rid=6 {"state":"ready","darknessSetting":"light"}`
		if !slices.Contains(b.seen, want) {
			t.Errorf("the hub saw\n%s", strings.Join(b.seen, "\n"))
		}
	})
}

func TestOnlineRenewsItsTokenBeforeItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := play(t, t.Context(), good(), stays(80*time.Minute, 0))
		const life = "0s dialing; 0s registering; 0s assigning; 6s joining; 6s twinning; 6s online; 54m6s joining; 54m6s twinning; 54m6s online; 1h20m6s off"
		if b.life != life {
			t.Errorf("life\n got %s\nwant %s", b.life, life)
		}
	})
}

// Seeds decide everything: the back-off, and so the whole life.
func TestSameSeedSameLife(t *testing.T) {
	lives := make([]string, 2)
	for i := range lives {
		synctest.Test(t, func(t *testing.T) {
			s := good()
			s.registers = []reply{broken, broken, broken, accepted}
			lives[i] = play(t, t.Context(), s).life
		})
	}
	if lives[0] != lives[1] {
		t.Errorf("two lives of one device under one seed:\n%s\n%s", lives[0], lives[1])
	}
}
