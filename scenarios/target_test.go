package scenarios_test

import (
	"testing"

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
