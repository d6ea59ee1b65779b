package emulator

import (
	"encoding/json"
	"sync/atomic"

	"dpsfleet/provisioning"
)

// Totals counts what the cloud has served.
type Totals struct {
	Connections   int64 `json:"connections"`
	Registrations int64 `json:"registrations"` // let in
	Polls         int64 `json:"polls"`
	Refused       int64 `json:"refused"`   // registrations and polls answered 4xx
	Throttled     int64 `json:"throttled"` // of these, for a quota; and connections to hubs
	WebhookCalls  int64 `json:"webhookCalls"`
	Assigned      int64 `json:"assigned"` // verdicts
	Failed        int64 `json:"failed"`
	Disabled      int64 `json:"disabled"`
	Joins         int64 `json:"joins"` // connections that a hub accepted
	TwinReads     int64 `json:"twinReads"`
	TwinPatches   int64 `json:"twinPatches"` // of reported properties
	Telemetry     int64 `json:"telemetry"`   // messages
}

// ByName is the totals by their names in JSON.
func (t Totals) ByName() map[string]int64 {
	var byName map[string]int64
	encoded, err := json.Marshal(t)
	if err == nil {
		err = json.Unmarshal(encoded, &byName)
	}
	if err != nil {
		return nil
	}
	return byName
}

type counters struct {
	connections, registrations, polls, refused, throttled, webhookCalls atomic.Int64
	assigned, failed, disabled                                          atomic.Int64
}

func (t *counters) verdict(status provisioning.Status) {
	switch status {
	case provisioning.Assigned:
		t.assigned.Add(1)
	case provisioning.Failed:
		t.failed.Add(1)
	case provisioning.Disabled:
		t.disabled.Add(1)
	}
}

// Totals is what the cloud has served so far.
func (c *Cloud) Totals() Totals {
	sum := Totals{
		Connections:   c.totals.connections.Load(),
		Registrations: c.totals.registrations.Load(),
		Polls:         c.totals.polls.Load(),
		Refused:       c.totals.refused.Load(),
		Throttled:     c.totals.throttled.Load(),
		WebhookCalls:  c.totals.webhookCalls.Load(),
		Assigned:      c.totals.assigned.Load(),
		Failed:        c.totals.failed.Load(),
		Disabled:      c.totals.disabled.Load(),
	}
	for _, h := range c.hubs {
		at := h.Totals()
		sum.Joins += at.Joins
		sum.TwinReads += at.TwinReads
		sum.TwinPatches += at.TwinPatches
		sum.Telemetry += at.Telemetry
	}
	return sum
}
