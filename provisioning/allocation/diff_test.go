package allocation_test

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

func diff(t testing.TB, opts allocation.DiffOptions, before, after []provisioning.Exchange) allocation.Difference {
	t.Helper()
	a, _ := record(t, "a.ndjson", allocation.RecordingInfo{}, before...)
	b, _ := record(t, "b.ndjson.zst", allocation.RecordingInfo{}, after...)
	d, err := allocation.Diff(t.Context(), a, b, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDiff(t *testing.T) {
	twin := func(twin string) string { return assigned(toasters, `,"initialTwin":`+twin) }
	payload := func(payload string) string { return assigned(toasters, `,"payload":`+payload) }
	tests := []struct {
		name           string
		before, after  string
		status         int // after
		kinds          []allocation.ChangeKind
		from, to, vals string
	}{
		{"Same", twin(`{"tags":{"a":1,"b":[1.0,null]}}`), twin(`{ "tags": {"b":[1,null],"a":1e0} }`), 200, nil, "", "", ""},
		{"SameHubInOtherLetters", assigned(toasters, ""), assigned(strings.ToUpper(toasters), ""), 200, nil, "", "", ""},
		{"Moves", assigned(toasters, ""), assigned(heatpumps, ""), 200, []allocation.ChangeKind{allocation.Moves}, toasters, heatpumps, ""},
		{"MovesWithAnotherTwin", twin(`{"tags":{"a":"x"}}`), assigned(heatpumps, ""), 200,
			[]allocation.ChangeKind{allocation.Moves, allocation.TwinChanges}, "", "", `[{tags {"a":"x"} }]`},
		{"Tags", twin(`{"tags":{"a":1,"b":{"c":true}}}`), twin(`{"tags":{"a":"1","b":{"d":null}}}`), 200,
			[]allocation.ChangeKind{allocation.TwinChanges}, "", "", `[{tags.a 1 "1"} {tags.b.c true } {tags.b.d  null}]`},
		{"Desired", twin(`{"properties":{"desired":{"state":"ready"}}}`), twin(`{"properties":{"desired":{"state":"on"}}}`), 200,
			[]allocation.ChangeKind{allocation.TwinChanges}, "", "", `[{desired.state "ready" "on"}]`},
		{"Payload", payload(`{"a":[1,2]}`), payload(`{"a":[2,1]}`), 200,
			[]allocation.ChangeKind{allocation.PayloadChanges}, "", "", `[{payload.a [1,2] [2,1]}]`},
		{"NowFails", assigned(toasters, ""), "no", 400, []allocation.ChangeKind{allocation.NowFails},
			toasters, "400207 CustomAllocationFailed, HTTP 400: the webhook answered 400", ""},
		{"NowNotLinked", assigned(toasters, ""), assigned("h", ""), 200, []allocation.ChangeKind{allocation.NowFails},
			toasters, `400207 CustomAllocationFailed, HTTP 200: the webhook's hub "h" is not among linkedHubs`, ""},
		{"NoLongerFails", "{}", assigned(toasters, ""), 200, []allocation.ChangeKind{allocation.NoLongerFails},
			"400208 CustomAllocationIotHubNotSpecified, HTTP 200: the webhook's answer has no iotHubHostName", toasters, ""},
		{"FailsOtherwise", "{}", "", 401, []allocation.ChangeKind{allocation.FailsOtherwise},
			"400208 CustomAllocationIotHubNotSpecified, HTTP 200: the webhook's answer has no iotHubHostName",
			"400209 CustomAllocationUnauthorizedAccess, HTTP 401: the webhook answered 401: the function key is missing or wrong", ""},
		{"FailsTheSame", "nothing", "else", 200, nil, "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := diff(t, allocation.DiffOptions{},
				[]provisioning.Exchange{exchange("other", 1, 200, assigned(toasters, "")), exchange("Dev", 1, 200, test.before)},
				[]provisioning.Exchange{exchange("dev", 1, test.status, test.after), exchange("other", 1, 200, assigned(toasters, ""))})
			var kinds []allocation.ChangeKind
			for _, c := range d.Changes {
				kinds = append(kinds, c.Kind)
			}
			if !reflect.DeepEqual(kinds, test.kinds) || d.Differing != min(len(kinds), 1) || d.Same != 2-d.Differing {
				t.Fatalf("got %+v", d)
			}
			for _, kind := range kinds {
				if d.Counts[kind] != 1 {
					t.Errorf("counts %v", d.Counts)
				}
			}
			if len(kinds) == 0 {
				return
			}
			c := d.Changes[len(d.Changes)-1]
			values := ""
			if len(c.Values) > 0 {
				values = fmt.Sprint(c.Values)
			}
			if provisioning.SameID(c.RegistrationID) != "dev" || c.From != test.from || c.To != test.to || values != test.vals {
				t.Errorf("got %q -> %q, %s", c.From, c.To, values)
			}
		})
	}
}

func TestDiffTakesTheLastCallOfADevice(t *testing.T) {
	d := diff(t, allocation.DiffOptions{},
		[]provisioning.Exchange{exchange("a", 1, 503, ""), exchange("a", 2, 200, assigned(toasters, ""))},
		[]provisioning.Exchange{exchange("a", 1, 200, assigned(toasters, ""))})
	if d.Differing != 0 || d.Same != 1 || d.Devices != [2]int{1, 1} {
		t.Errorf("got %+v", d)
	}
}

func TestDiffSaysWhoIsInOneAlone(t *testing.T) {
	d := diff(t, allocation.DiffOptions{},
		[]provisioning.Exchange{exchange("a", 1, 200, assigned(toasters, ""))},
		[]provisioning.Exchange{exchange("b", 1, 200, assigned(heatpumps, ""))})
	want := []allocation.Change{
		{RegistrationID: "a", Kind: allocation.OnlyInFirst, From: toasters},
		{RegistrationID: "b", Kind: allocation.OnlyInSecond, To: heatpumps},
	}
	if d.Differing != 2 || !reflect.DeepEqual(d.Changes, want) {
		t.Errorf("got %+v", d)
	}
}

func TestAllowedMovesDoNotMatter(t *testing.T) {
	var before, after []provisioning.Exchange
	for i := range 30 {
		id := fmt.Sprint("d", i)
		before = append(before, exchange(id, 1, 200, assigned(toasters, "")))
		after = append(after, exchange(id, 1, 200, assigned(heatpumps, "")))
	}
	for _, test := range []struct {
		name      string
		opts      allocation.DiffOptions
		differing int
		told      int
	}{
		{"NotAllowed", allocation.DiffOptions{}, 30, 20},
		{"AllOfThem", allocation.DiffOptions{Examples: -1}, 30, 30},
		{"Allowed", allocation.DiffOptions{AllowMoved: []string{"x", "*-HEATPUMPS-*"}}, 0, 0},
		{"AllowedAndTold", allocation.DiffOptions{AllowMoved: []string{"*"}, Examples: -1}, 0, 30},
		{"AllowedElsewhere", allocation.DiffOptions{AllowMoved: []string{"*-toasters-*"}}, 30, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := diff(t, test.opts, before, after)
			if d.Differing != test.differing || len(d.Changes) != test.told || d.Counts[allocation.Moves] != 30 {
				t.Errorf("%d differ, %d told, counts %v", d.Differing, len(d.Changes), d.Counts)
			}
			if want := []allocation.Move{{From: toasters, To: heatpumps, Count: 30, Allowed: test.differing == 0}}; !reflect.DeepEqual(d.Moves, want) {
				t.Errorf("moves %+v", d.Moves)
			}
			for i, c := range d.Changes {
				if c.RegistrationID != fmt.Sprint("d", i) {
					t.Errorf("change %d is of %s: they come in the order of the recording", i, c.RegistrationID)
				}
			}
		})
	}
	if _, err := allocation.Diff(t.Context(), "a", "b", allocation.DiffOptions{AllowMoved: []string{"["}}); err == nil {
		t.Error("a bad pattern was taken")
	}
}

func TestDiffSaysWhatItCouldNotRead(t *testing.T) {
	path, _ := record(t, "a.ndjson", allocation.RecordingInfo{}, exchange("a", 1, 200, assigned(toasters, "")))
	appendTo(t, path, "x\ny\n")
	d, err := allocation.Diff(t.Context(), path, path, allocation.DiffOptions{})
	if err != nil || len(d.Notes) != 2 || !strings.Contains(d.Notes[0], "a.ndjson:3: not a recorded call") || !strings.Contains(d.Notes[0], "and 1 lines more") {
		t.Errorf("%v, notes %q", err, d.Notes)
	}
	if _, err := allocation.Diff(t.Context(), path, filepath.Join(t.TempDir(), "b"), allocation.DiffOptions{}); err == nil {
		t.Error("a recording that is not there was read")
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := allocation.Diff(stopped, path, path, allocation.DiffOptions{}); err == nil {
		t.Error("it went on after it was stopped")
	}
}

// A million devices must fit: go test -bench Diff reports the bytes of each.
func BenchmarkDiff(b *testing.B) {
	calls := make([]provisioning.Exchange, 20_000)
	for i := range calls {
		calls[i] = exchange(fmt.Sprintf("breakroom%d-contoso-tstrsd-007", i), 1, 200, assigned(toasters, `,"initialTwin":{"tags":{"deviceType":"toaster"},"properties":{"desired":{"state":"ready","darknessSetting":"medium"}}}`))
	}
	path, _ := record(b, "a.ndjson", allocation.RecordingInfo{}, calls...)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := allocation.Diff(b.Context(), path, path, allocation.DiffOptions{}); err != nil || d.Same != len(calls) {
			b.Fatal(d, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(calls)), "ns/device")
}
