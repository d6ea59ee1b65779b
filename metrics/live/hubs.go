package live

import (
	"cmp"
	"slices"
	"strings"
)

// hubs are how many devices each hub has got. The declared come first; what else a
// webhook invents is bounded.
type hubs struct {
	all    []*hub
	byName map[string]*hub
}

type hub struct {
	Name     string `json:"name"`
	Count    int    `json:"count"`
	Declared bool   `json:"declared"`
}

const maxHubs = 40

func newHubs(declared []string) *hubs {
	h := &hubs{byName: make(map[string]*hub)}
	for _, name := range declared {
		h.of(name).Declared = true
	}
	return h
}

func (h *hubs) add(name string) { h.of(name).Count++ }

// of is a hub by its name, whatever the case. Beyond the bound all are "other".
func (h *hubs) of(name string) *hub {
	key := strings.ToLower(name)
	if found := h.byName[key]; found != nil {
		return found
	}
	if len(h.all) >= maxHubs {
		key, name = "", "other"
		if found := h.byName[key]; found != nil {
			return found
		}
	}
	added := &hub{Name: shown(name, maxName)}
	h.all = append(h.all, added)
	h.byName[strings.Clone(key)] = added
	return added
}

// json is the declared as they were declared, and of the others the fullest first.
func (h *hubs) json() []hub {
	out := make([]hub, len(h.all))
	for i, one := range h.all {
		out[i] = *one
	}
	slices.SortStableFunc(out, func(a, b hub) int {
		if a.Declared || b.Declared {
			return 0
		}
		return cmp.Compare(b.Count, a.Count)
	})
	return out
}
