package allocation

import (
	"embed"
	"strings"
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
func Shipped(name string) (Policy, bool) {
	text, err := shipped.ReadFile(shippedDir + "/" + name + shippedExt)
	if err != nil {
		return Policy{}, false
	}
	p, err := ParsePolicy(text)
	return p, err == nil
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
