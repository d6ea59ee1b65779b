package scenarios

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/wording"
)

// checker finds what the schema cannot: names that lead nowhere and values that
// contradict each other. Values that the schema has thrown out are empty here,
// and what is empty is not complained about.
type checker struct {
	doc      *document
	s        *Scenario
	beside   fs.FS
	kinds    map[string]*device.Kind
	mistakes Mistakes
}

func (c *checker) add(pointer, format string, args ...any) {
	c.mistakes = append(c.mistakes, c.doc.mistake(pointer, fmt.Sprintf(format, args...)))
}

// check looks at all of it. Whole says that nothing was thrown out before.
func (c *checker) check(whole bool) {
	switch {
	case c.s.Cloud != nil && c.s.Target != nil:
		c.mistakes = append(c.mistakes, c.doc.mistakeAtKey("/target", "there is a cloud as well; devices boot against one of them"))
	case c.s.Cloud == nil && c.s.Target == nil && whole:
		c.add("", "says neither cloud (ours) nor target (somebody else's)")
	}
	if c.s.TLS.Min != "" && c.s.TLS.Max != "" && c.s.TLS.Min > c.s.TLS.Max {
		c.add("/tls/min", "%s is above max, %s", c.s.TLS.Min, c.s.TLS.Max)
	}
	c.sources()
	c.cloud()
	c.target()
	c.models()
	c.fleets()
	c.faults(whole)
	c.thresholds()
	if len(c.mistakes) == 0 && whole {
		c.identities()
		c.faultsReach()
	}
}

func (c *checker) models() {
	c.kinds = make(map[string]*device.Kind)
	for name, model := range device.Models() {
		c.kinds[name], _ = model.Compile(name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.s.Models)) {
		at := "/models/" + escapePointer.Replace(name)
		if _, shipped := c.kinds[name]; shipped {
			c.mistakes = append(c.mistakes, c.doc.mistakeAtKey(at, name+" comes with dpsfleet; give yours another name"))
			continue
		}
		kind, err := c.s.Models[name].Compile(name)
		for line := range strings.Lines(errorText(err)) {
			member, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			c.add(at+"/"+member, "%s", text)
		}
		c.kinds[name] = kind
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (c *checker) fleets() {
	for _, f := range c.s.Fleets {
		at := "/fleets/" + escapePointer.Replace(f.Name)
		if _, known := c.kinds[f.Model]; f.Model != "" && !known {
			c.add(at+"/model", "%s", c.unknown("model", f.Model, slices.Sorted(maps.Keys(c.kinds))))
		}
		if kind := c.kinds[f.Model]; kind != nil && len(f.Payload) > 0 {
			if _, err := f.compile(c.s.Models); err != nil {
				c.add(at+"/payload", "%s", err)
			}
		}
		if f.Until != device.UntilOnline && (f.Stay > 0 || f.Telemetry > 0) {
			c.add(at, "stay and telemetry need until: online")
		}
		plan := fleet.Plan{Fleets: []fleet.Fleet{f.plan()}}
		if err := plan.Check(); err != nil && f.Count > 0 {
			c.add(at+"/arrive", "%s", err)
		}
		c.group(at, f)
		c.certificateOf(at, f)
		c.reboots(at, f)
		c.expectations(at, f)
	}
}

func (c *checker) unknown(what, name string, known []string) string {
	if meant := wording.Suggestion(name, known); meant != "" {
		return fmt.Sprintf("there is no %s %.40q%s", what, name, meant)
	}
	return fmt.Sprintf("there is no %s %.40q; there are %s", what, name, strings.Join(known, ", "))
}

func (c *checker) group(at string, f Fleet) {
	if c.s.Cloud == nil || f.EnrollmentGroup == "" {
		return
	}
	if _, ok := c.s.Cloud.EnrollmentGroups[f.EnrollmentGroup]; !ok {
		c.add(at+"/enrollmentGroup", "%s", c.unknown("enrollment group", f.EnrollmentGroup, slices.Sorted(maps.Keys(c.s.Cloud.EnrollmentGroups))))
	}
}

// expectations must be possible: a hub that is not there is never met.
func (c *checker) expectations(at string, f Fleet) {
	for i, e := range f.Expect {
		here := fmt.Sprintf("%s/expect/%d", at, i)
		if _, list := c.doc.at[here]; !list {
			here = at + "/expect"
		}
		if err := e.Check(); err != nil {
			c.add(here, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		if e.Hub == "" || c.s.Cloud == nil {
			continue
		}
		if !slices.ContainsFunc(c.s.Cloud.LinkedHubs, func(hub string) bool { ok, _ := path.Match(e.Hub, hub); return ok }) {
			c.add(here+"/hub", "%.80q matches none of linkedHubs", e.Hub)
		}
	}
}

func (c *checker) thresholds() {
	for i, t := range c.s.Thresholds {
		if t.Fleet != "" && !c.hasFleet(t.Fleet) {
			c.add("/thresholds/"+strconv.Itoa(i), "%s", c.unknown("fleet", t.Fleet, c.fleetNames()))
		}
	}
}

func (c *checker) hasFleet(name string) bool { return slices.Contains(c.fleetNames(), name) }

func (c *checker) fleetNames() []string {
	var names []string
	for _, f := range c.s.Fleets {
		names = append(names, f.Name)
	}
	return names
}

// identities makes every registration id once: two devices with one id, or one
// that DPS would refuse, would only show in the middle of a run.
func (c *checker) identities() {
	owner := make(map[string]string)
	for _, f := range c.s.Fleets {
		kind, err := f.compile(c.s.Models)
		if err != nil {
			continue
		}
		if c.fleetIdentities(f, kind, owner) {
			return
		}
	}
}

func (c *checker) fleetIdentities(f Fleet, kind *device.Kind, owner map[string]string) (found bool) {
	at := "/fleets/" + escapePointer.Replace(f.Name)
	for i := range f.Count {
		n := f.first() + i
		id, err := kind.ID(device.Number{Fleet: f.Name, N: n, Boot: 1, Seed: c.s.Seed})
		if err == nil {
			err = provisioning.CheckRegistrationID(id)
		}
		if err != nil {
			c.add(at, "device %d: %s", n, err)
			return true
		}
		here := fmt.Sprintf("device %d of %s", n, f.Name)
		if other, twice := owner[provisioning.SameID(id)]; twice {
			c.add(at, "%s has the registration id %s, and so has %s; use {{.N}} in the model, or first: to number this fleet from elsewhere", here, id, other)
			return true
		}
		owner[provisioning.SameID(id)] = here
	}
	return false
}
