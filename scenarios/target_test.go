package scenarios_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

// targeting is a scenario of n toasters against an emulator on loopback, as
// against one in another process.
func targeting(t *testing.T, n int) scenarios.Scenario {
	t.Helper()
	s := read(t, oneToaster)
	s.Fleets[0].Count = n
	key, err := provisioning.ParseKey(scenarios.TutorialGroupKey)
	if err != nil {
		t.Fatal(err)
	}
	config := s.Config(key, nil)
	fast := emulator.Fast()
	config.TLS, config.Answers = true, &fast
	cloud, err := emulator.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	s.Target = &scenarios.Target{
		DPS: cloud.Addr(), IDScope: cloud.IDScope(), GroupKey: key, RootCAs: cloud.CA(), Hubs: s.Cloud.LinkedHubs,
	}
	s.Cloud = nil
	return s
}

// An empty file would else be no file, and the system's roots.
func TestAFileOfRootsHoldsACertificate(t *testing.T) {
	const text = `
name: elsewhere
target: {dps: "dps.example:8883", idScope: 0ne1, groupKey: YSBrZXkgb2YgdGhlIHRlc3Q=, hubs: [h], ca: ca.pem}
fleets: {f: {model: toaster, count: 1}}
`
	for _, held := range []string{"", "no certificate"} {
		_, err := scenarios.Read("s.yaml", []byte(text), fstest.MapFS{"ca.pem": {Data: []byte(held)}})
		if want := "s.yaml:3:101: target.ca: the file holds no certificate in PEM"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("of %q: %v, want %s", held, err, want)
		}
	}
}
