package allocation_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

var recordedAt = time.Date(2026, 11, 22, 21, 4, 0, 0, time.UTC)

// exchange is a call of the webhook for a device.
func exchange(id string, attempt, status int, answer string) provisioning.Exchange {
	body := fmt.Sprintf(`{"deviceRuntimeContext":{"registrationId":%q,"payload":{"owner":"Ada","model": 7}},"linkedHubs":[%q,%q]}`, id, toasters, heatpumps)
	return provisioning.Exchange{
		Kind: provisioning.ExchangeAllocate, RegistrationID: id, Attempt: attempt, At: recordedAt, Took: 1500 * time.Microsecond,
		Status: status, Asked: []byte(body), Answered: []byte(answer),
	}
}

func assigned(hub, rest string) string { return fmt.Sprintf(`{"iotHubHostName":%q%s}`, hub, rest) }

// record writes a recording of these calls and returns its path and its notes.
func record(t testing.TB, name string, info allocation.RecordingInfo, calls ...provisioning.Exchange) (string, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	r, err := allocation.CreateRecording(path, info)
	if err != nil {
		t.Fatal(err)
	}
	for i := range calls {
		r.Record(&calls[i])
	}
	notes, err := r.Close()
	if err != nil {
		t.Fatal(err)
	}
	return path, notes
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(data, text...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func recorded(t testing.TB, path string) []allocation.Recorded {
	t.Helper()
	var calls []allocation.Recorded
	for call, err := range allocation.ReadRecording(path) {
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	return calls
}

func TestRecordingKeepsEveryByte(t *testing.T) {
	requests := map[string]string{
		"AsItIs":      `{"b":1.0,"a":"<&>",  "c":[ ]}`,
		"LineFeeds":   "{\n \"a\": 1\n}",
		"NoUTF8":      "{\"a\":\"\xff\"}",
		"NoUTF8Lines": "{\"a\":\n\"\xff\"}",
		"Space":       ` {"a":1} `,
		"Deep":        strings.Repeat(`{"a":[`, 4000) + strings.Repeat(`]}`, 4000),
		"Separator":   "{\"a\":\"\u2028é\"}",
	}
	for name, body := range requests {
		for _, file := range []string{"x.ndjson", "x.ndjson.zst"} {
			t.Run(name+file, func(t *testing.T) {
				x := exchange("a", 2, 200, body)
				x.Asked = []byte(body)
				path, _ := record(t, file, allocation.RecordingInfo{}, x)
				calls := recorded(t, path)
				if len(calls) != 1 || string(calls[0].Request) != body || string(calls[0].Response) != body {
					t.Fatalf("got %+v", calls)
				}
				if got := calls[0]; got.Attempt != 2 || !got.At.Equal(recordedAt) || got.Took != x.Took || got.Status != 200 {
					t.Errorf("got %+v", got)
				}
			})
		}
	}
}

func TestRecordingBelongsToItsOwnerAndIsNotOverwritten(t *testing.T) {
	path, _ := record(t, "x.ndjson", allocation.RecordingInfo{Scenario: "s", Seed: 7})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := allocation.CreateRecording(path, allocation.RecordingInfo{}); err == nil || !strings.Contains(err.Error(), "never overwritten") {
		t.Errorf("got %v", err)
	}
	if _, err := allocation.CreateRecording(filepath.Join(t.TempDir(), "x.json"), allocation.RecordingInfo{}); err == nil {
		t.Error("a recording of any name was made")
	}
	if header, err := allocation.ReadRecordingInfo(path); err != nil || header.Seed != 7 || header.Scenario != "s" {
		t.Errorf("%+v, %v", header, err)
	}
}

func TestRecordingCutsALongAnswer(t *testing.T) {
	path, _ := record(t, "x.ndjson", allocation.RecordingInfo{}, exchange("a", 1, 200, `{"a":"`+strings.Repeat("x", 1<<20)+`"}`))
	if call := recorded(t, path)[0]; !call.Cut || len(call.Response) != 64<<10 || !call.Answer().Truncated {
		t.Errorf("cut %v, %d bytes", call.Cut, len(call.Response))
	}
}

// A disk that is full takes the recording, and nothing else.
func TestFullDiskIsSaidAtTheEnd(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a device that is always full")
	}
	r, err := allocation.CreateRecording(filepath.Join(t.TempDir(), "x.ndjson"), allocation.RecordingInfo{})
	if err != nil {
		t.Fatal(err)
	}
	allocation.FillDisk(t, r)
	x := exchange("a", 1, 200, `{}`)
	r.Record(&x)
	r.Record(&x)
	if _, err := r.Close(); err == nil || !strings.Contains(err.Error(), "ends before the run did: ") || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoRecordingIsNamed(t *testing.T) {
	header := `{"recording":1,"scenario":"s","seed":1,"webhook":"","started":"2026-11-22T21:04:00Z"}` + "\n"
	line := `{"registrationId":"a","attempt":1,"at":"2026-11-22T21:04:00Z","tookMicroseconds":1,"status":200,"request":{}}` + "\n"
	tests := []struct{ name, text, want string }{
		{"ALog", `{"registrationId":"a","outcome":"assigned"}` + "\n", "x.ndjson:1: not the first line of a recording"},
		{"ALaterFormat", `{"recording":9}` + "\n", "of format 9; this dpsfleet knows 1"},
		{"Nonsense", header + "nonsense\n" + line, "x.ndjson:2: not a recorded call"},
		{"NoRequest", header + `{"registrationId":"a"}` + "\n", "x.ndjson:2: not a recorded call: it has no registrationId or no request"},
		{"Long", header + strings.Repeat("x", 5<<20) + "\n" + line, "x.ndjson:2: the line is longer than 4 MiB"},
		{"CutShort", header + line + line[:20], "x.ndjson:3: the last line is cut short"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.ndjson")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var errs, calls []string
			for call, err := range allocation.ReadRecording(path) {
				if err != nil {
					errs = append(errs, err.Error())
					continue
				}
				calls = append(calls, call.RegistrationID)
			}
			if len(errs) != 1 || !strings.Contains(errs[0], test.want) || len(calls) != strings.Count(test.text, line) {
				t.Errorf("errors %q and calls %q, want %q", errs, calls, test.want)
			}
		})
	}
	for _, err := range allocation.ReadRecording("nowhere.ndjson") {
		if err == nil || !strings.Contains(err.Error(), "reading the recording: ") {
			t.Errorf("got %v", err)
		}
	}
}

func TestReplayIsTheLastRegistrationOfEachDevice(t *testing.T) {
	calls := []provisioning.Exchange{
		exchange("b", 1, 503, ""), exchange("a", 1, 200, `{}`), exchange("b", 2, 200, `{}`), exchange("A", 1, 200, `{}`),
	}
	for i := range calls {
		calls[i].At = recordedAt.Add(time.Duration(i) * time.Second)
	}
	path, _ := record(t, "x.ndjson", allocation.RecordingInfo{Seed: 3}, calls...)
	replay, err := allocation.ReadReplay(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if len(replay.Asked) != 2 || !bytes.Equal(replay.Asked[0].Body, calls[0].Asked) || !bytes.Equal(replay.Asked[1].Body, calls[3].Asked) {
		t.Errorf("asked %+v", replay.Asked)
	}
	if got := fmt.Sprint(replay.Offsets, replay.Notes, replay.Info.Seed, replay.Asked[0].LinkedHubs); got != "[0s 3s] [1 earlier registrations of the same devices are not replayed] 3 ["+toasters+" "+heatpumps+"]" {
		t.Error(got)
	}
	empty, _ := record(t, "x.ndjson", allocation.RecordingInfo{})
	if _, err := allocation.ReadReplay(t.Context(), empty); err == nil {
		t.Error("a recording without a call was replayed")
	}
}

func BenchmarkRecord(b *testing.B) {
	r, err := allocation.CreateRecording(filepath.Join(b.TempDir(), "x.ndjson"), allocation.RecordingInfo{})
	if err != nil {
		b.Fatal(err)
	}
	x := exchange("breakroom1-contoso-tstrsd-007", 1, 200, assigned(toasters, `,"initialTwin":{"tags":{"deviceType":"toaster"}}`))
	b.ReportAllocs()
	for b.Loop() {
		r.Record(&x)
	}
	if _, err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
