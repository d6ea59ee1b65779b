package provisioning_test

import (
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

type users struct {
	DPS []struct{ SDK, Name, APIVersion, ClientVersion string }
	Hub []struct{ SDK, Name, APIVersion, ClientType, ModelID string }
}

func TestUserNamesOfAllSDKsAreRead(t *testing.T) {
	var table users
	vectors(t, "users", &table)
	if len(table.DPS) < 8 || len(table.Hub) < 4 {
		t.Fatalf("only %d and %d vectors", len(table.DPS), len(table.Hub))
	}
	for _, v := range table.DPS {
		want := provisioning.DPSUser{IDScope: "0ne00002193", RegistrationID: "dev1", APIVersion: v.APIVersion, ClientVersion: v.ClientVersion}
		if got, err := provisioning.ParseDPSUser(v.Name); err != nil || got != want {
			t.Errorf("%s: %+v, %v", v.SDK, got, err)
		}
	}
	for _, v := range table.Hub {
		want := provisioning.HubUser{Host: "h.azure-devices.net", DeviceID: "dev1", APIVersion: v.APIVersion, ClientType: v.ClientType, ModelID: v.ModelID}
		if got, err := provisioning.ParseHubUser(v.Name); err != nil || got != want {
			t.Errorf("%s: %+v, %v", v.SDK, got, err)
		}
	}
}

func TestOurUserNamesAreTheDocumentedOnes(t *testing.T) {
	dps := provisioning.DPSUser{IDScope: "0ne00002193", RegistrationID: "dev1", APIVersion: provisioning.DPSAPIVersion, ClientVersion: "dpsfleet/1 (x)"}
	hub := provisioning.HubUser{
		Host: "h.azure-devices.net", DeviceID: "dev1", APIVersion: provisioning.HubAPIVersion, ClientType: "dpsfleet/1", ModelID: "dtmi:a;1",
	}
	for got, want := range map[string]string{
		dps.String():   "0ne00002193/registrations/dev1/api-version=2019-03-31&ClientVersion=dpsfleet%2F1+%28x%29",
		dps.Resource(): "0ne00002193/registrations/dev1",
		hub.String():   "h.azure-devices.net/dev1/?api-version=2021-04-12&DeviceClientType=dpsfleet%2F1&model-id=dtmi%3Aa%3B1",
		hub.Resource(): "h.azure-devices.net/devices/dev1",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestOtherUserNamesAreRefused(t *testing.T) {
	for _, name := range []string{
		"", "dev1", "/registrations/dev1/api-version=1", "0ne/registrations/", "0ne/registrations//api-version=1", "0ne/registrations/dev1",
		"0ne/registrations/dev1/", "0ne/registrations/dev1/api-version=", "0ne/registrations/dev1/ClientVersion=1",
		"a/b/registrations/dev1/api-version=1", "h.azure-devices.net/dev1/?api-version=2021-04-12",
	} {
		if got, err := provisioning.ParseDPSUser(name); err == nil {
			t.Errorf("DPS took %q as %+v", name, got)
		}
	}
	for _, name := range []string{
		"", "h", "h/", "h/dev1", "/dev1/?api-version=1", "h//?api-version=1", "h/dev1/", "h/dev1/?", "h/dev1/?DeviceClientType=x", "h/dev1/module/?api-version=1",
	} {
		if got, err := provisioning.ParseHubUser(name); err == nil {
			t.Errorf("a hub took %q as %+v", name, got)
		}
	}
}

func TestRegistrationIDsThatDPSTakes(t *testing.T) {
	for _, id := range []string{
		"breakroom499-contoso-tstrsd-007", "mainbuilding167-contoso-hpsd-088", "a", "A-", "7", "a.b_c:d-E", "-a", strings.Repeat("x", 128),
	} {
		if err := provisioning.CheckRegistrationID(id); err != nil {
			t.Error(err)
		}
	}
}

func TestRegistrationIDErrorsSayWhere(t *testing.T) {
	for id, want := range map[string]string{
		"":                       `is empty`,
		strings.Repeat("x", 129): `has 129 characters; DPS takes 128`,
		"a/b":                    `has '/' at character 2`,
		"a b":                    `has ' ' at character 2`,
		"töaster":                `has 'ö' at character 2`,
		"a\x00":                  `has '\x00' at character 2`,
		"a.":                     `ends in '.'`,
		"a:":                     `ends in ':'`,
		"a_":                     `ends in '_'`,
	} {
		if err := provisioning.CheckRegistrationID(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", id, err, want)
		}
	}
}

func TestSameIDIgnoresCase(t *testing.T) {
	if provisioning.SameID("BreakRoom499") != provisioning.SameID("breakroom499") || provisioning.SameID("a-1") == provisioning.SameID("a1") {
		t.Error("ids are compared otherwise than by their letters")
	}
}
