package metrics_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
)

var start = time.Date(2026, 11, 22, 21, 4, 0, 0, time.UTC)

const (
	toastersHub  = "contoso-toasters-hub-1098.azure-devices.net"
	heatpumpsHub = "contoso-heatpumps-hub-1098.azure-devices.net"
)

// life makes the events of one device, one stage after the other.
type life struct {
	device.Event
	events []device.Event
}

func born(fleet, id string, due time.Time) *life {
	return &life{Event: device.Event{Device: id, Fleet: fleet, Model: "toaster", Boot: 1, At: due}}
}

func (l *life) to(stage device.Stage, after time.Duration, change ...func(*device.Event)) *life {
	e := l.Event
	e.From, e.To, e.In, e.At = l.To, stage, after, l.At.Add(after)
	for _, f := range change {
		f(&e)
	}
	l.At, l.To = e.At, stage
	l.events = append(l.events, e)
	return l
}

func (l *life) registering() *life {
	return l.to(device.Dialing, 2*time.Millisecond).
		to(device.Securing, time.Millisecond).
		to(device.Registering, 9*time.Millisecond).
		to(device.Assigning, 54*time.Millisecond)
}

func verdict(a device.Assignment) func(*device.Event) {
	return func(e *device.Event) { e.Assignment, e.Polls = &a, 2 }
}

func assignedTo(hub, id string) func(*device.Event) {
	return verdict(device.Assignment{
		OperationID: "op-" + id,
		Status:      provisioning.Assigned,
		Hub:         hub,
		DeviceID:    id,
		Substatus:   provisioning.InitialAssignment,
	})
}

func (l *life) assigned(hub string) *life {
	return l.registering().to(device.Joining, 6*time.Second, assignedTo(hub, l.Device))
}

func (l *life) online(hub, desired string) *life {
	return l.assigned(hub).
		to(device.Twinning, 20*time.Millisecond).
		to(device.Online, 5*time.Millisecond, func(e *device.Event) { e.Desired = json.RawMessage(desired) })
}

// knowing is a device that boots with an assignment of an earlier boot.
func knowing(hub, id string) *life {
	return born("toasters", id, start).to(device.Joining, time.Millisecond, func(e *device.Event) {
		e.Assignment = &device.Assignment{Hub: hub, DeviceID: id}
	})
}

func (l *life) twin() *life {
	return l.to(device.Twinning, 20*time.Millisecond).
		to(device.Online, 5*time.Millisecond, func(e *device.Event) { e.Desired = json.RawMessage(`{"state":"ready"}`) })
}

func failure(outcome device.Outcome, code provisioning.Code, text string) func(*device.Event) {
	return func(e *device.Event) {
		e.Err = &device.Failure{Outcome: outcome, Code: code, Err: errors.New(text)}
	}
}

func (l *life) failed(code provisioning.Code) *life {
	return l.registering().to(device.Failed, 4*time.Second,
		verdict(device.Assignment{OperationID: "op-" + l.Device, Status: provisioning.Failed, Code: code}),
		failure(device.OutcomeFailed, code, "DPS: "+code.String()))
}

// decided is the cloud's verdict on an assigned device.
func decided(id, hub, tags string) provisioning.Exchange {
	return provisioning.Exchange{
		Kind:           provisioning.ExchangeVerdict,
		RegistrationID: id,
		OperationID:    "op-" + id,
		Status:         200,
		State:          &provisioning.RegistrationState{RegistrationID: id, Status: provisioning.Assigned, AssignedHub: hub, DeviceID: id},
		Tags:           json.RawMessage(tags),
	}
}

func refused(id string, code provisioning.Code) provisioning.Exchange {
	x := decided(id, "", "")
	x.Tags = nil
	x.State.Status, x.State.ErrorCode = provisioning.Failed, code
	return x
}

func allocated(id string, status int, hub string) provisioning.Exchange {
	return provisioning.Exchange{
		Kind:           provisioning.ExchangeAllocate,
		RegistrationID: id,
		At:             start.Add(time.Second),
		Took:           227 * time.Millisecond,
		Status:         status,
		Attempt:        1,
		Hub:            hub,
		Asked:          []byte(`{"linkedHubs": []}`),
		Answered:       []byte("No toasters hub found for the enrollment."),
	}
}

// play sends events, the exchanges before the last of them.
func play(c *metrics.Collector, l *life, exchanges ...provisioning.Exchange) {
	last := len(l.events) - 1
	for _, e := range l.events[:last] {
		c.Event(e)
	}
	for _, x := range exchanges {
		c.Exchange(x)
	}
	c.Event(l.events[last])
}

func collector(t testing.TB, info metrics.RunInfo) *metrics.Collector {
	t.Helper()
	info.Started = start
	c, err := metrics.NewCollector(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func threshold(t testing.TB, text string) metrics.Threshold {
	t.Helper()
	parsed, err := metrics.ParseThreshold(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// contoso is a run of the three fleets of the example.
func contoso(t testing.TB) metrics.RunInfo {
	expect := func(text string) (es metrics.Expectations) {
		if err := json.Unmarshal([]byte(text), &es); err != nil {
			t.Fatal(err)
		}
		return es
	}
	return metrics.RunInfo{
		Scenario: "contoso-mixed", Seed: 7, Target: "the embedded cloud", Ours: true, Started: start,
		Fleets: []metrics.Fleet{
			{Name: "toasters", Count: 700, Expect: expect(`[{"outcome":"assigned","hub":"*-toasters-*","desired":{"state":"ready"},"tags":{"deviceType":"toaster"},"share":">= 99%"},{"outcome":"disabled"}]`)},
			{Name: "heatpumps", Count: 290, Expect: expect(`{"hub":"*-heatpumps-*"}`)},
			{Name: "strangers", Count: 10, Expect: expect(`{"outcome":"failed","code":400207}`)},
		},
		Thresholds: []metrics.Threshold{
			threshold(t, "time_to_assigned p(95) < 8s"), threshold(t, "unexpected == 0"), threshold(t, "lateness p(99) < 250ms"),
		},
	}
}

func playContoso(c *metrics.Collector, toasters, heatpumps, strangers int) {
	for i := range toasters {
		id := fmt.Sprintf("breakroom%03d-contoso-tstrsd-007", i)
		play(c, born("toasters", id, start).online(toastersHub, `{"state":"ready","darknessSetting":"medium","$version":1}`),
			allocated(id, 200, toastersHub), decided(id, toastersHub, `{"deviceType":"toaster"}`))
	}
	for i := range heatpumps {
		id := fmt.Sprintf("mainbuilding%03d-contoso-hpsd-088", i)
		play(c, born("heatpumps", id, start).online(heatpumpsHub, `{"state":"on"}`), decided(id, heatpumpsHub, ""))
	}
	for i := range strangers {
		id := fmt.Sprintf("doorbell%d", i)
		play(c, born("strangers", id, start).failed(400207), allocated(id, 400, ""), refused(id, 400207))
	}
}
