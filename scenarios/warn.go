package scenarios

import "slices"

// Warnings are what may be meant and probably is not: the scenario runs with it.
func (s Scenario) Warnings() Mistakes { return slices.Clone(s.warnings) }

// unserved warns of hubs that a policy seeks and that are not there.
func (c *checker) unserved(at string, e Enrollment) {
	linked := e.IoTHubs
	if len(linked) == 0 {
		linked = c.s.Cloud.LinkedHubs
	}
	for _, sought := range c.s.policies[e.Policy].Unserved(linked) {
		c.s.warnings = append(c.s.warnings, c.doc.mistake(at+"/policy", e.Policy+"'s "+sought.Error()))
	}
}
