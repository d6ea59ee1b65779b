package scenarios_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"dpsfleet/scenarios"
)

func TestMistakesOfAPolicyAreFoundUnderAnyName(t *testing.T) {
	_, err := scenarios.ReadPolicy("mine.yaml", []byte(`rules:
  - hub:
      spread:
        a.azure-devices.net: 1
        b/c.azure-devices.net: many
  - when:
      payload:
        module.version: {version: ">=1.x"}
    hub: hashed
`))
	want := `mine.yaml:5:32: rules[0].hub.spread.b/c.azure-devices.net: must be a number from 0 to 1000000
mine.yaml:8:35: rules[1].when.payload.module.version.version: must be comparisons of dotted numbers, as ">=1.2 <2"`
	if fmt.Sprint(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestHubsThatAPolicySeeksInVainAreAWarning(t *testing.T) {
	beside := fstest.MapFS{"mine.yaml": {Data: []byte("rules:\n- when: {registrationId: x}\n  hub: {contains: h3}\n- hub: {spread: {h1: 1, h2: 2}}\n")}}
	for name, c := range map[string]struct{ text, want string }{
		"all linked": {
			strings.ReplaceAll(withPolicy, "[h1, h2]", "[h1, h2, h3]"), ""},
		"one not linked": {withPolicy,
			"s.yaml:5:34: cloud.enrollmentGroups.g.policy: ./mine.yaml's rules[0].hub fits none of the linked hubs"},
		"the enrollment's own hubs": {
			strings.ReplaceAll(withPolicy, "./mine.yaml", "./mine.yaml, iotHubs: [h2]"),
			"s.yaml:5:34: cloud.enrollmentGroups.g.policy: ./mine.yaml's rules[0].hub fits none of the linked hubs\n" +
				"s.yaml:5:34: cloud.enrollmentGroups.g.policy: ./mine.yaml's rules[1].hub.spread.h1 fits none of the linked hubs"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scenarios.Read("s.yaml", []byte(c.text), beside)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Warnings().Error(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestShippedScenariosWarnOfNothing(t *testing.T) {
	for _, name := range scenarios.Shipped() {
		s, err := scenarios.ReadShipped(name)
		if err != nil {
			t.Fatal(err)
		}
		if warnings := s.Warnings(); len(warnings) > 0 {
			t.Errorf("%s: %v", name, warnings)
		}
	}
}
