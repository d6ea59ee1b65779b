package emulator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

func TestQueriesArePaged(t *testing.T) {
	inBubble(t, served, func(t *testing.T, _ *world, b *backEnd) {
		for _, id := range []string{"d", "B", "a", "c", "e"} {
			b.do(200, "PUT", "/enrollments/"+id, `{"registrationId":"`+id+`","attestation":{"type":"symmetricKey"}}`)
		}
		var pages []string
		header := []string{"x-ms-max-item-count", "2"}
		for range 4 {
			page := b.do(200, "POST", "/enrollments/query?api-version=2021-10-01", `{"query":"SELECT * FROM enrollments"}`, header...)
			var records []provisioning.Enrollment
			if err := json.Unmarshal([]byte(page.body), &records); err != nil || strings.Contains(page.body, "primaryKey") {
				t.Fatalf("%v: %s", err, page.body)
			}
			ids := ""
			for _, e := range records {
				ids += e.RegistrationID
			}
			pages = append(pages, ids)
			if page.header.Get("x-ms-item-type") != "enrollment" {
				t.Errorf("item type %q", page.header.Get("x-ms-item-type"))
			}
			if len(pages) == 1 { // what has been read already does not come again
				b.do(204, "DELETE", "/enrollments/a", "")
			}
			next := page.header.Get("x-ms-continuation")
			if next == "" {
				break
			}
			header = []string{"x-ms-max-item-count", "2", "x-ms-continuation", next}
		}
		if got := strings.Join(pages, " "); got != "aB cd e" {
			t.Errorf("the pages are %s", got)
		}
		groups := b.do(200, "POST", "/enrollmentGroups/query", `{"query":"SELECT *"}`)
		if groups.header.Get("x-ms-item-type") != "enrollmentGroup" || groups.header.Get("x-ms-continuation") != "" || !strings.Contains(groups.body, groupID) {
			t.Errorf("groups: %v %s", groups.header, groups.body)
		}
		devices := b.do(200, "POST", "/registrations/"+groupID+"/query", "{}")
		if devices.header.Get("x-ms-item-type") != "deviceRegistration" || devices.body != "[]" {
			t.Errorf("registrations: %v %s", devices.header, devices.body)
		}
	})
}

func TestBulkChangesEachOnItsOwn(t *testing.T) {
	inBubble(t, served, func(t *testing.T, _ *world, b *backEnd) {
		bulk := func(path, mode, member string, records ...string) string {
			return b.do(200, "POST", path, `{"mode":"`+mode+`","`+member+`":[`+strings.Join(records, ",")+`]}`).body
		}
		one := func(id, more string) string {
			return `{"registrationId":"` + id + `","attestation":{"type":"symmetricKey"}` + more + `}`
		}
		const good = `{"isSuccessful":true,"errors":[]}`
		steps := []struct{ mode, record, want string }{
			{"create", one("a", ""), good},
			{"create", one("a", ""), `{"isSuccessful":false,"errors":[{"registrationId":"a","errorCode":409201,"errorStatus":"The enrollment exists already."}]}`},
			{"update", one("a", `,"provisioningStatus":"disabled"`), good},
			{"update", one("b", ""), `{"isSuccessful":false,"errors":[{"registrationId":"b","errorCode":404201,"errorStatus":"Enrollment not found."}]}`},
			{"updateIfMatchETag", one("a", `,"etag":"\"other\""`), `{"isSuccessful":false,"errors":[{"registrationId":"a","errorCode":412001,"errorStatus":"The etag is not that of the record as it is now."}]}`},
			{"updateIfMatchETag", one("a", ""), `{"isSuccessful":false,"errors":[{"registrationId":"a","errorCode":412001,"errorStatus":"The enrollment has no etag to match."}]}`},
			{"create", one("bad id", ""), `{"isSuccessful":false,"errors":[{"registrationId":"bad id","errorCode":400004,"errorStatus":"Invalid RegistrationId"}]}`},
			{"delete", one("a", ""), good},
			{"delete", one("a", ""), `{"isSuccessful":false,"errors":[{"registrationId":"a","errorCode":404201,"errorStatus":"Enrollment not found."}]}`},
		}
		for _, step := range steps {
			if got := bulk("/enrollments", step.mode, "enrollments", step.record); got != step.want {
				t.Errorf("%s %s\n got %s\nwant %s", step.mode, step.record, got, step.want)
			}
		}
		mixed := bulk("/enrollments", "create", "enrollments", one("c", ""), one("!", ""), one("d", ""))
		if !strings.Contains(mixed, `"isSuccessful":false`) || strings.Count(mixed, "errorCode") != 1 {
			t.Errorf("of three, one of them bad: %s", mixed)
		}
		b.do(200, "GET", "/enrollments/d", "")
		etag := b.record(200, "GET", "/enrollments/d", "").ETag
		if got := bulk("/enrollments", "updateIfMatchETag", "enrollments", one("d", `,"etag":`+quoted(t, etag))); got != good {
			t.Errorf("with its etag: %s", got)
		}
		groups := bulk("/enrollmentGroups", "delete", "enrollmentGroups", `{"enrollmentGroupId":"none"}`)
		if want := `{"isSuccessful":false,"errors":[{"enrollmentGroupId":"none","errorCode":404204,"errorStatus":"Enrollment group not found."}]}`; groups != want {
			t.Errorf("a group: %s", groups)
		}
	})
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
