package provisioning_test

import (
	"reflect"
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

func TestCodesHaveMicrosoftsNames(t *testing.T) {
	for code, want := range map[provisioning.Code]string{
		400207: "400207 CustomAllocationFailed",
		400208: "400208 CustomAllocationIotHubNotSpecified",
		400209: "400209 CustomAllocationUnauthorizedAccess",
		404201: "404201 EnrollmentNotFound",
		123456: "123456",
	} {
		if got := code.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		number, name, named := strings.Cut(want, " ")
		if got, err := provisioning.ParseCode(number); err != nil || got != code {
			t.Errorf("%s: %v, %v", number, got, err)
		}
		if !named {
			continue
		}
		if got, err := provisioning.ParseCode(name); err != nil || got != code || code.Name() != name {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestParseCodeRefusesWhatIsNone(t *testing.T) {
	for _, text := range []string{"", "0", "99999", "1000000", "-400207", "customallocationfailed", "400207 CustomAllocationFailed"} {
		if code, err := provisioning.ParseCode(text); err == nil {
			t.Errorf("%q was taken as %v", text, code)
		}
	}
}

func TestRefusalsReadAsTheServiceWritesThem(t *testing.T) {
	for name, want := range map[string]string{
		"refused":   `DPS answered 401, 401002 UnauthorizedAccess: "Invalid certificate."`,
		"throttled": `DPS answered 429, 429001 Throttled: "Operations are being throttled for this tenant."`,
	} {
		text := body(t, name)
		refusal := provisioning.ParseError(provisioning.Answer{Status: 401, RetryAfter: seconds(3)}, text)
		if name == "throttled" {
			refusal.Status = 429
		}
		if got := refusal.Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := string(refusal.JSON()); got != string(text) {
			t.Errorf("\n%s, want\n%s", got, text)
		}
		if *refusal.RetryAfter != *seconds(3) {
			t.Errorf("retry-after is %v", *refusal.RetryAfter)
		}
	}
}

func TestRefusalOfAnyBodyIsStillARefusal(t *testing.T) {
	want := &provisioning.Error{Status: 500}
	for _, text := range []string{"", " ", "<html>", "[]", `"no"`, "{", `{"errorCode":"x"}`, `{"errorCode":1,"timestampUtc":"yesterday"}`} {
		got := provisioning.ParseError(provisioning.Answer{Status: 500}, []byte(text))
		if !reflect.DeepEqual(got, want) || got.Error() != "DPS answered 500" {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestRefusalEscapesWhatTheServiceSays(t *testing.T) {
	refusal := &provisioning.Error{Status: 400, Message: "a\x1b[31m\nb", Info: map[string]string{"k": "\u00fc<&>"}}
	if got, want := refusal.Error(), `DPS answered 400: "a\x1b[31m\nb"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	want := `{"errorCode":0,"trackingId":"","message":"a\u001b[31m\u000ab","info":{"k":"\u00fc<&>"},"timestampUtc":""}`
	if got := string(refusal.JSON()); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestOnlyBusyOrBrokenIsRetryable(t *testing.T) {
	for status, want := range map[int]bool{400: false, 401: false, 404: false, 409: false, 428: false, 429: true, 500: true, 503: true} {
		if got := (&provisioning.Error{Status: status}).Retryable(); got != want {
			t.Errorf("%d: %t", status, got)
		}
	}
}

func TestResultsAreTheCSDKs(t *testing.T) {
	for _, c := range []struct {
		status provisioning.Status
		code   provisioning.Code
		want   string
	}{
		{provisioning.Assigned, 0, "PROV_DEVICE_RESULT_OK"},
		{provisioning.Disabled, 0, "PROV_DEVICE_RESULT_DISABLED"},
		{provisioning.Failed, 400207, "PROV_DEVICE_RESULT_DEV_AUTH_ERROR"},
		{provisioning.Failed, 400208, "PROV_DEVICE_RESULT_HUB_NOT_SPECIFIED"},
		{provisioning.Failed, 400209, "PROV_DEVICE_RESULT_UNAUTHORIZED"},
		{provisioning.Failed, 0, "PROV_DEVICE_RESULT_DEV_AUTH_ERROR"},
	} {
		if got := provisioning.ResultOf(c.status, c.code); string(got) != c.want {
			t.Errorf("%s %d: %s, want %s", c.status, c.code, got, c.want)
		}
	}
}
