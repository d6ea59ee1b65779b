package allocation

import (
	"encoding/json"
	"maps"
	"strconv"
)

func (r *reader) policy(text json.RawMessage, p *Policy) {
	seen := r.object("", text, fields{
		"name":      r.sentence(&p.Name),
		"about":     r.sentence(&p.About),
		"otherwise": func(path string, text json.RawMessage) { r.otherwise(path, text, &p.Otherwise) },
		"rules":     func(path string, text json.RawMessage) { p.Rules = r.rules(path, text) },
	})
	if isObject(text) && !seen["rules"] {
		r.wrong("/rules", "is missing")
	}
	if last := len(p.Rules) - 1; p.Otherwise.Rule != nil && last >= 0 && p.Rules[last].everybodys() {
		r.wrong("/otherwise", "is never reached: %s is for every device", itemAt("/rules", last))
	}
}

// otherwise is a sentence or a rule without a condition.
func (r *reader) otherwise(path string, text json.RawMessage, dst *Otherwise) {
	if !isObject(text) {
		r.sentence(&dst.Sentence)(path, text)
		return
	}
	dst.Rule = &Rule{}
	r.rule(path, text, dst.Rule, fields{})
	if dst.Rule.Hub.Region != nil {
		r.wrong(path+"/hub/region", "may leave devices without a hub; make a rule of it")
	}
}

func (r *reader) rules(path string, text json.RawMessage) []Rule {
	items := r.list(path, text, "rule")
	rules := make([]Rule, len(items))
	// The first sound rule under each condition that always decides.
	first := make(map[string]int, len(items))
	all := keyOf(When{})
	for i, item := range items {
		here, rule := join(path, strconv.Itoa(i)), &rules[i]
		sound := r.rule(here, item, rule, fields{
			"when": func(path string, text json.RawMessage) { r.when(path, text, &rule.When) },
		})
		if by, taken := first[all]; taken {
			r.wrong(here, "is never reached: %s is for every device", itemAt(path, by))
			continue
		}
		condition := keyOf(rule.When)
		if by, taken := first[condition]; taken && sound {
			r.wrong(here, "is never reached: %s is for the same devices", itemAt(path, by))
			continue
		}
		if sound && rule.Hub.Region == nil {
			first[condition] = i
		}
	}
	return rules
}

// keyOf is the same for conditions that say the same in any order.
func keyOf(w When) string { return string(mustMarshal(w)) }

// itemAt names an item as messages do.
func itemAt(path string, i int) string {
	return (&Mistake{Pointer: join(path, strconv.Itoa(i))}).Path()
}

func (r Rule) everybodys() bool { return r.When.all() && r.Hub.Region == nil }

// rule reports whether the rule could be read, so that no conclusion is drawn
// from one that could not. It may have these members beside those of every rule.
func (r *reader) rule(path string, text json.RawMessage, dst *Rule, beside fields) bool {
	before := len(r.mistakes)
	known := fields{
		"hub":     func(path string, text json.RawMessage) { r.hub(path, text, &dst.Hub) },
		"sticky":  r.boolean(&dst.Sticky),
		"noHub":   r.sentence(&dst.NoHub),
		"tags":    r.literal(&dst.Tags),
		"desired": r.literal(&dst.Desired),
		"payload": r.literal(&dst.Payload),
	}
	maps.Copy(known, beside)
	seen := r.object(path, text, known)
	if isObject(text) && !seen["hub"] {
		r.wrong(path+"/hub", "is missing")
	}
	return len(r.mistakes) == before
}

func (r *reader) hub(path string, text json.RawMessage, dst *HubChoice) {
	if string(text) == `"`+PickHashed+`"` {
		dst.Pick = PickHashed
		return
	}
	known := r.textFields(&dst.Match)
	if !isObject(text) {
		known["equals"](path, text)
		return
	}
	known["spread"] = func(path string, text json.RawMessage) { dst.Spread = r.spread(path, text) }
	known["region"] = func(path string, text json.RawMessage) { dst.Region = r.region(path, text) }
	ways := known.names()
	known["pick"] = func(path string, text json.RawMessage) { r.pick(path, text, &dst.Pick) }
	seen := r.object(path, text, known)
	if seen["pick"] && (seen["spread"] || seen["region"]) {
		r.wrong(path+"/pick", "is not for spread and region, which are hashed")
	}
	delete(seen, "pick")
	if len(seen) > 0 || dst.Pick != PickHashed {
		r.oneOf(path, seen, ways)
	}
}

func (r *reader) pick(path string, text json.RawMessage, dst *string) {
	r.sentence(dst)(path, text)
	if *dst != "" && *dst != PickLast && *dst != PickFirst && *dst != PickHashed {
		r.wrong(path, "must be %s, %s or %s", PickLast, PickFirst, PickHashed)
	}
}

// maxWeight keeps weights to what people mean by one.
const maxWeight = 1_000_000

func (r *reader) spread(path string, text json.RawMessage) Table[float64] {
	var table Table[float64]
	some := false
	before := len(r.mistakes)
	r.table(path, text, func(path, name string, text json.RawMessage) {
		var weight *float64
		if json.Unmarshal(text, &weight) != nil || weight == nil || *weight < 0 || *weight > maxWeight {
			r.wrong(path, "must be a number from 0 to %d", maxWeight)
			return
		}
		some = some || *weight > 0
		table = append(table, Entry[float64]{name, *weight})
	})
	if !some && len(r.mistakes) == before {
		r.wrong(path, "gives no hub more than 0")
	}
	return table
}

func (r *reader) region(path string, text json.RawMessage) *Region {
	var region Region
	seen := r.object(path, text, fields{
		"payload": func(path string, text json.RawMessage) {
			r.sentence(&region.Payload)(path, text)
			r.memberPath(path, region.Payload)
		},
		"hubs": func(path string, text json.RawMessage) {
			r.table(path, text, func(path, name string, text json.RawMessage) {
				var hubs string
				r.sentence(&hubs)(path, text)
				region.Hubs = append(region.Hubs, Entry[string]{name, hubs})
			})
		},
	})
	for _, name := range []string{"payload", "hubs"} {
		if isObject(text) && !seen[name] {
			r.wrong(join(path, name), "is missing")
		}
	}
	return &region
}
