package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/provisioning"
)

// faults finds the faults that cannot touch anything. That their windows and
// shares do is looked at by faultsReach, when all else is well. Whole says that
// nothing was thrown out before.
func (c *checker) faults(whole bool) {
	for i, fault := range c.s.Faults {
		at := "/faults/" + strconv.Itoa(i)
		for j, name := range fault.Fleets {
			if !c.hasFleet(name) {
				c.add(fmt.Sprintf("%s/fleets/%d", at, j), "%s", c.unknown("fleet", name, c.fleetNames()))
			}
		}
		if fault.Do.word == "" || fault.At == "" {
			continue // thrown out by the schema
		}
		if err := fault.Do.misplaced(fault.At); err != nil {
			c.add(at+"/do", "%s", err)
			continue
		}
		if why := c.s.outOfReach(fault); why != "" && whole {
			c.add(at, "%s", why)
		}
	}
}

// touched are the fleets whose devices a fault touches.
func (s Scenario) touched(fault Fault) []Fleet {
	return slices.DeleteFunc(slices.Clone(s.Fleets), func(f Fleet) bool {
		return len(fault.Fleets) > 0 && !slices.Contains(fault.Fleets, f.Name)
	})
}

// outOfReach says why a fault's place is one where nobody comes, or where it
// cannot be made; empty if it can.
func (s Scenario) outOfReach(fault Fault) string {
	fleets := s.touched(fault)
	switch {
	case len(fleets) == 0:
		return "" // a mistake of its own
	case s.Cloud == nil && fault.At == atWebhook && s.direct():
		return ""
	case s.Cloud == nil:
		return fmt.Sprintf("a fault at %s is made in a cloud of ours, and there is none", placeName(fault.At))
	case fault.At == atWebhook && !slices.ContainsFunc(fleets, s.asksWebhook) && !s.individualWebhook():
		return "no enrollment of these devices has a policy or a webhookUrl, so nobody calls a webhook"
	case fault.At == atHub && !slices.ContainsFunc(fleets, func(f Fleet) bool { return f.Until != device.UntilAssigned }):
		return "these devices are there for until: assigned, so none comes to a hub"
	}
	return ""
}

// faultsInReach says again before a run what check says: a command line may have
// put another target in the place of the scenario's cloud.
func (s Scenario) faultsInReach() error {
	for i, fault := range s.Faults {
		if why := s.outOfReach(fault); why != "" {
			return fmt.Errorf("fault %d (%s at %s): %s", i+1, fault.Do, placeName(fault.At), why)
		}
	}
	return nil
}

func placeName(at string) string {
	if at == atDPS {
		return "DPS"
	}
	return "the " + at
}

// asksWebhook reports whether the group of a fleet's devices has a webhook.
func (s Scenario) asksWebhook(f Fleet) bool {
	name := f.EnrollmentGroup
	if name == "" {
		name = s.Cloud.firstGroup()
	}
	e, known := s.Cloud.EnrollmentGroups[name]
	return !known && f.EnrollmentGroup != "" || e.asksWebhook() // an unknown one is a mistake of its own
}

func (s Scenario) individualWebhook() bool {
	for _, e := range s.Cloud.IndividualEnrollments {
		if e.asksWebhook() {
			return true
		}
	}
	return false
}

func (e Enrollment) asksWebhook() bool { return e.Policy != "" || e.WebhookURL != "" }

// faultsReach finds windows in which nobody comes, and shares that have no device.
func (c *checker) faultsReach() {
	for i, fault := range c.s.Faults {
		at := "/faults/" + strconv.Itoa(i)
		if why := c.s.outOfTime(fault); why != "" {
			c.add(at+"/during", "%s", why)
		}
		if fault.Share != 0 && !c.s.anyIn(fault) {
			c.add(at+"/share", "none of these devices is among these %s with the seed %d", fault.Share, c.s.Seed)
		}
	}
}

// outOfTime says why nobody comes while a fault lasts; empty if somebody may.
func (s Scenario) outOfTime(fault Fault) string {
	if fault.During == nil {
		return ""
	}
	plan := fleet.Plan{Seed: s.Seed}
	var longest time.Duration // that one boot takes
	for _, f := range s.touched(fault) {
		plan.Fleets = append(plan.Fleets, f.plan())
		longest = max(longest, s.longest(f))
	}
	when := plan.Describe()
	switch {
	case fault.During.To <= when.First:
		return fmt.Sprintf("is over before the first of these devices comes, after %s", when.First.Round(time.Millisecond))
	case longest < forGood && fault.During.From > when.Last+longest:
		return fmt.Sprintf("begins when all of these devices have ended: the last comes after %s and boots for %s at most",
			when.Last.Round(time.Millisecond), longest)
	}
	return ""
}

// forGood is longer than any run.
const forGood = 1<<62 - 1

// longest is how long after it came a device may still ask for something.
func (s Scenario) longest(f Fleet) time.Duration {
	boot := durationOf(s.Limits.Boot)
	if boot == 0 {
		boot = defaultBoot
	}
	switch {
	case len(f.Reboots) > 0:
		return forGood // nearly: each boot counts from the end of the one before
	case f.Until != device.UntilOnline:
		return boot
	case f.Stay == 0:
		return forGood
	}
	return boot + durationOf(f.Stay)
}

// defaultBoot is device.Limits' own.
const defaultBoot = 10 * time.Minute

// anyIn reports whether the share of a fault has any of its devices.
func (s Scenario) anyIn(fault Fault) bool {
	for _, f := range s.touched(fault) {
		kind, err := f.compile(s.Models)
		if err != nil {
			return true
		}
		for i := range f.Count {
			id, _ := kind.ID(device.Number{Fleet: f.Name, N: f.first() + i, Boot: 1, Seed: s.Seed})
			if fault.Share.has(s.Seed, provisioning.SameID(id), ofFault) {
				return true
			}
		}
	}
	return false
}
