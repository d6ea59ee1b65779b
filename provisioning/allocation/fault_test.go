package allocation_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"dpsfleet/provisioning/allocation"
)

func TestInsteadAnswersForSomeDevicesOnly(t *testing.T) {
	server := httptest.NewServer(allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso()}))
	defer server.Close()
	var asked []string
	client := allocation.Client{
		Retry: allocation.Retry{Count: -1},
		Transport: allocation.Instead(nil, func(id string) int {
			asked = append(asked, id)
			if id == "breakroom2-contoso-tstrsd-007" {
				return http.StatusForbidden
			}
			return 0
		}),
	}
	for id, want := range map[string]int{"breakroom1-contoso-tstrsd-007": 200, "breakroom2-contoso-tstrsd-007": 403} {
		request := allocation.Request{
			DeviceRuntimeContext: allocation.RuntimeContext{RegistrationID: &id},
			LinkedHubs:           []string{"contoso-toasters-hub.azure-devices.net"},
		}
		verdict := client.Allocate(t.Context(), server.URL+allocation.Path, request)
		if verdict.Status != want {
			t.Errorf("%s was answered %d, want %d", id, verdict.Status, want)
		}
	}
	if len(asked) != 2 {
		t.Errorf("asked for %q, want each device once", asked)
	}
}
