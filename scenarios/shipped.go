package scenarios

import (
	"embed"
	"fmt"
	"strings"

	"dpsfleet/provisioning/wording"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// Shipped are the names of the scenarios that come with dpsfleet.
func Shipped() []string {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// ShippedText is the file of a shipped scenario, to start one's own from.
func ShippedText(name string) ([]byte, error) {
	text, err := shipped.ReadFile("shipped/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("no scenario is called %.40q; `dpsfleet scenarios` lists them%s", name, wording.Suggestion(name, Shipped()))
	}
	return text, nil
}

// ReadShipped reads a shipped scenario.
func ReadShipped(name string) (Scenario, error) {
	text, err := ShippedText(name)
	if err != nil {
		return Scenario{}, err
	}
	return Read(name+".yaml", text, nil)
}
