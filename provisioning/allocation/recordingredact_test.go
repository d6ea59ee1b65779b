package allocation_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dpsfleet/provisioning/allocation"
)

func TestRedaction(t *testing.T) {
	tests := []struct {
		name, path, asked, answered string
		wantAsked, wantAnswered     string
		note                        string
	}{
		{"InTheRequest", "deviceRuntimeContext.payload.owner",
			`{"deviceRuntimeContext":{ "payload" :{"owner": "Ada" ,"n":1.0}}}`, `{"payload":{"owner":"Ada"}}`,
			`{"deviceRuntimeContext":{ "payload" :{"owner": "****" ,"n":1.0}}}`, `{"payload":{"owner":"Ada"}}`,
			`redacted "deviceRuntimeContext.payload.owner" in 1 requests and 0 answers`},
		{"InTheAnswer", "initialTwin.tags", `{}`, `{"initialTwin":{"tags":{"owner":"Ada"}}}`, `{}`, `{"initialTwin":{"tags":"****"}}`, "in 0 requests and 1 answers"},
		{"WhateverTheCase", "payload.owner", `{"Payload":{"OWNER":{"a":[1]}}}`, `{}`, `{"Payload":{"OWNER":"****"}}`, `{}`, "1 requests"},
		{"InLists", "p.owner", `{"p":[{"owner":1},[{"owner":2}],3]}`, `{}`, `{"p":[{"owner":"****"},[{"owner":"****"}],3]}`, `{}`, "1 requests"},
		{"Twice", "a", `{"a":1,"a":"2"}`, `{}`, `{"a":"****","a":"****"}`, `{}`, "1 requests"},
		{"NoObjectThere", "a.b", `{"a":"b"}`, `{}`, `{"a":"b"}`, `{}`, "is in no request and in no answer"},
		{"NotJSON", "a", `{}`, "the owner is Ada", `{}`, "****", "is in no request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := exchange("a", 1, 200, test.answered)
			x.Asked = []byte(test.asked)
			path, notes := record(t, "x.ndjson", allocation.RecordingInfo{Redacted: []string{test.path}}, x)
			call := recorded(t, path)[0]
			if string(call.Request) != test.wantAsked || string(call.Response) != test.wantAnswered {
				t.Errorf("recorded %s and %s", call.Request, call.Response)
			}
			if !strings.Contains(strings.Join(notes, "\n"), test.note) {
				t.Errorf("notes %q, want %q", notes, test.note)
			}
		})
	}
	if _, err := allocation.CreateRecording(filepath.Join(t.TempDir(), "x.ndjson"), allocation.RecordingInfo{Redacted: []string{"a..b"}}); err == nil {
		t.Error("a path with an empty name was taken")
	}
}

func FuzzRecording(f *testing.F) {
	f.Add([]byte(`{"recording":1}`+"\n"+`{"registrationId":"a","request":{"linkedHubs":["h"]},"status":200,"response":{"iotHubHostName":"h","initialTwin":{"tags":{"a":1e400}}}}`), "deviceRuntimeContext.payload")
	f.Add([]byte(`{"recording":1,"redacted":["a"]}`+"\n"+`{"registrationId":"a","attempt":-1,"requestText":"x","responseBytes":"eA==","cut":true}`+"\n{"), "a.b")
	f.Fuzz(func(t *testing.T, data []byte, redact string) {
		path := filepath.Join(t.TempDir(), "x.ndjson")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := allocation.Diff(t.Context(), path, path, allocation.DiffOptions{})
		if err == nil && (d.Differing != 0 || len(d.Changes) != 0) {
			t.Errorf("it differs from itself: %+v", d)
		}
		again := filepath.Join(t.TempDir(), "y.ndjson")
		r, err := allocation.CreateRecording(again, allocation.RecordingInfo{Redacted: []string{redact}})
		if err != nil {
			return
		}
		x := exchange("a", 1, 200, "")
		x.Asked, x.Answered = append(data, '.'), data
		r.Record(&x)
		if _, err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if calls := recorded(t, again); len(calls) != 1 {
			t.Errorf("%d calls were read", len(calls))
		}
	})
}
