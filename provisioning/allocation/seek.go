package allocation

import (
	"slices"
	"strconv"
)

// Unserved says which hubs the policy seeks in vain among those that are linked:
// the devices that it has for them are refused, or go to others.
func (p Policy) Unserved(linked []string) []*Mistake {
	var found []*Mistake
	for i, rule := range p.Rules {
		found = append(found, rule.Hub.unserved(join("/rules", strconv.Itoa(i))+"/hub", linked)...)
	}
	if p.Otherwise.Rule != nil {
		found = append(found, p.Otherwise.Rule.Hub.unserved("/otherwise/hub", linked)...)
	}
	return found
}

func (c HubChoice) unserved(path string, linked []string) []*Mistake {
	var found []*Mistake
	seek := func(path string, fits func(hub string) bool) {
		if !slices.ContainsFunc(linked, fits) {
			found = append(found, &Mistake{path, "fits none of the linked hubs"})
		}
	}
	switch {
	case c.Spread != nil:
		for _, entry := range c.Spread {
			seek(join(path+"/spread", entry.Name), func(hub string) bool { return glob(entry.Name, hub) })
		}
	case c.Region != nil:
		for _, entry := range c.Region.Hubs {
			seek(join(path+"/region/hubs", entry.Name), func(hub string) bool { return glob(entry.Value, hub) })
		}
	default:
		seek(path, c.text)
	}
	return found
}
