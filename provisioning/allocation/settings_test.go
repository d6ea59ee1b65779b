package allocation_test

import (
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

func TestEverySettingIsListed(t *testing.T) {
	listed := allocation.Undocumented()
	settings := reflect.TypeFor[allocation.Settings]()
	if len(listed) != settings.NumField() {
		t.Fatalf("%d settings are listed, there are %d", len(listed), settings.NumField())
	}
	for i, setting := range listed {
		name, _, _ := strings.Cut(settings.Field(i).Tag.Get("json"), ",")
		if setting.Name != name || setting.Default == "" || setting.About == "" {
			t.Errorf("%+v stands for %s", setting, name)
		}
	}
}

func TestEverySettingDecides(t *testing.T) {
	const code provisioning.Code = 404210
	hub := `{"iotHubHostName":"` + toasters + `","payload":"text"}`
	for name, c := range map[string]struct {
		settings allocation.Settings
		answer   string
		status   int
		code     provisioning.Code
		payload  string
	}{
		"hubNotLinked":      {allocation.Settings{HubNotLinked: code}, `{"iotHubHostName":"x"}`, 200, code, ""},
		"missingHub":        {allocation.Settings{MissingHub: code}, `{}`, 200, code, ""},
		"notJson":           {allocation.Settings{NotJSON: code}, `x`, 200, code, ""},
		"afterRetries":      {allocation.Settings{AfterRetries: code}, ``, 503, code, ""},
		"oddPayload":        {allocation.Settings{}, hub, 200, 0, ""},
		"oddPayload: drop":  {allocation.Settings{OddPayload: allocation.DropPayload}, hub, 200, 0, ""},
		"oddPayload: pass":  {allocation.Settings{OddPayload: allocation.PassPayload}, hub, 200, 0, `"text"`},
		"oddPayload: fail":  {allocation.Settings{OddPayload: allocation.FailPayload, NotJSON: code}, hub, 200, code, ""},
		"null is specified": {allocation.Settings{MissingHub: code}, `{"iotHubHostName":null}`, 200, provisioning.CustomAllocationIotHubNotSpecified, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				url, transport := serve(t, answeringText(c.status, c.answer))
				client := allocation.Client{Transport: transport, Settings: c.settings}
				v := client.Allocate(t.Context(), url, tutorialRequest(t))
				if v.Code != c.code || string(v.Payload) != c.payload {
					t.Errorf("got %+v", v)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		client := allocation.Client{Settings: allocation.Settings{Unreachable: code}, Retry: allocation.Retry{Count: -1}}
		if v := client.Allocate(t.Context(), "not a URL", allocation.Request{}); v.Code != code {
			t.Errorf("unreachable: %+v", v)
		}
	})
}

func answeringText(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}
