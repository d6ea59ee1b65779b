package allocation

import (
	"embed"
	"fmt"
	"strings"

	"dpsfleet/provisioning/wording"
)

//go:embed policies/*.json
var shipped embed.FS

const shippedDir, shippedExt = "policies", ".json"

// Contoso is the tutorial's policy.
func Contoso() Policy {
	p, _ := Shipped("contoso")
	return p
}

// Shipped is the policy of that name that comes with the program.
func Shipped(name string) (Policy, error) {
	text, err := ShippedText(name)
	if err != nil {
		return Policy{}, err
	}
	return ParsePolicy(text)
}

// ShippedText is the file of a shipped policy, to start one's own from.
func ShippedText(name string) ([]byte, error) {
	text, err := shipped.ReadFile(shippedDir + "/" + name + shippedExt)
	if err != nil {
		names := ShippedNames()
		return nil, fmt.Errorf("no policy is called %.40q; there are %s, or a path such as ./mine.yaml%s", name, strings.Join(names, ", "), wording.Suggestion(name, names))
	}
	return text, nil
}

// ShippedNames lists the shipped policies, sorted.
func ShippedNames() []string {
	entries, _ := shipped.ReadDir(shippedDir)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), shippedExt))
	}
	return names
}
