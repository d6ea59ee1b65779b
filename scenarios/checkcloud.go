package scenarios

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"maps"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/wording"
)

func (c *checker) cloud() {
	cloud := c.s.Cloud
	if cloud == nil {
		return
	}
	c.hubs("/cloud/linkedHubs", cloud.LinkedHubs)
	for _, name := range slices.Sorted(maps.Keys(cloud.Hubs)) {
		c.linked("/cloud/hubs/"+escapePointer.Replace(name), name)
	}
	if strings.ContainsAny(cloud.IDScope, "/ ") {
		c.add("/cloud/idScope", "an id scope has neither slashes nor spaces")
	}
	c.s.policies, c.s.proofs = make(map[string]allocation.Policy), make(map[string]proof)
	for _, name := range slices.Sorted(maps.Keys(cloud.EnrollmentGroups)) {
		at := "/cloud/enrollmentGroups/" + escapePointer.Replace(name)
		c.enrollment(at, cloud.EnrollmentGroups[name])
		c.attestation(at, cloud.EnrollmentGroups[name], true)
	}
	for _, id := range slices.Sorted(maps.Keys(cloud.IndividualEnrollments)) {
		at := "/cloud/individualEnrollments/" + escapePointer.Replace(id)
		if err := provisioning.CheckRegistrationID(id); err != nil {
			c.mistakes = append(c.mistakes, c.doc.mistakeAtKey(at, err.Error()))
		}
		c.enrollment(at, cloud.IndividualEnrollments[id])
		c.attestation(at, cloud.IndividualEnrollments[id], false)
	}
}

// hubs checks a list of host names.
func (c *checker) hubs(at string, hubs []string) {
	seen := make(map[string]bool, len(hubs))
	for i, hub := range hubs {
		here := at + "/" + strconv.Itoa(i)
		if hub == "" || strings.ContainsAny(hub, "/: ") {
			c.add(here, "%.80q is not a host name", hub)
		}
		if seen[strings.ToLower(hub)] {
			c.add(here, "%s stands here twice", hub)
		}
		seen[strings.ToLower(hub)] = true
	}
}

func (c *checker) enrollment(at string, e Enrollment) {
	ways := 0
	for _, set := range []bool{e.Policy != "", e.WebhookURL != "", e.AllocationPolicy != "" && e.AllocationPolicy != provisioning.AllocateCustom} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		c.add(at, "policy, webhookUrl and allocationPolicy exclude each other")
	}
	if e.AllocationPolicy == provisioning.AllocateCustom && e.Policy == "" && e.WebhookURL == "" {
		c.add(at+"/allocationPolicy", "custom needs a policy or a webhookUrl beside it")
	}
	if e.Policy != "" {
		policy, err := loadPolicy(e.Policy, c.beside)
		var inside Mistakes // in the policy's own file
		switch {
		case errors.As(err, &inside):
			c.mistakes = append(c.mistakes, inside...)
		case err != nil:
			c.add(at+"/policy", "%s", err)
		}
		c.s.policies[e.Policy] = policy
		c.unserved(at, e)
	}
	if e.FunctionKey != "" && e.Policy == "" {
		c.add(at+"/functionKey", "only a policy that dpsfleet serves has a function key; put the code of your own webhook into a file for --function-key-file")
	}
	if e.WebhookURL != "" && !strings.HasPrefix(e.WebhookURL, "http://") && !strings.HasPrefix(e.WebhookURL, "https://") {
		c.add(at+"/webhookUrl", "a webhook's URL begins with https:// or http://")
	}
	if e.AllocationPolicy == provisioning.AllocateGeoLatency && !c.measured(e) {
		c.add(at+"/allocationPolicy", "geoLatency needs a latency of one of its hubs, as hubs: {HUB: {latency: {westeurope: 20ms}}}")
	}
	for i, hub := range e.IoTHubs {
		c.linked(at+"/iotHubs/"+strconv.Itoa(i), hub)
	}
	if e.IoTHubHostName != "" {
		c.linked(at+"/iotHubHostName", e.IoTHubHostName)
	}
}

// measured reports whether one of the hubs of an enrollment has a latency.
func (c *checker) measured(e Enrollment) bool {
	hubs := e.IoTHubs
	if len(hubs) == 0 {
		hubs = c.s.Cloud.LinkedHubs
	}
	return slices.ContainsFunc(hubs, func(name string) bool { return len(c.s.Cloud.Hubs[name].Latency) > 0 })
}

// linked complains of a hub that is not linked.
func (c *checker) linked(at, hub string) {
	linked := c.s.Cloud.LinkedHubs
	if slices.Contains(linked, hub) {
		return
	}
	c.add(at, "%.80q is not among linkedHubs%s", hub, wording.Suggestion(hub, linked))
}

func (c *checker) target() {
	target := c.s.Target
	if target == nil {
		return
	}
	c.hubs("/target/hubs", target.Hubs)
	c.targetKind(target)
	if target.CA != "" {
		roots, err := c.read(target.CA)
		if err != nil {
			c.add("/target/ca", "the file cannot be read: %s", err)
		} else if !x509.NewCertPool().AppendCertsFromPEM(roots) {
			c.add("/target/ca", "the file holds no certificate in PEM")
		}
		target.RootCAs = roots
	}
	for at, address := range map[string]string{"/target/dps": target.DPS, "/target/gateway": target.Gateway} {
		if address != "" {
			c.address(at, address)
		}
	}
	for i, endpoint := range target.Endpoints {
		c.address("/target/endpoints/"+strconv.Itoa(i), endpoint)
	}
	c.once("/target/endpoints", target.Endpoints)
}

func (c *checker) address(at, address string) {
	if host, _, err := net.SplitHostPort(address); err != nil || host == "" {
		c.add(at, "%.80q is not HOST:PORT, as global.azure-devices-provisioning.net:8883 is", address)
	}
}

// sources must be addresses; whether they are this machine's is seen before a run.
func (c *checker) sources() {
	for i, text := range c.s.Sources {
		if _, err := parseSource(text); err != nil {
			c.add("/sources/"+strconv.Itoa(i), "%s", err)
		}
	}
	c.once("/sources", c.s.Sources)
}

// once complains of what stands in a list twice.
func (c *checker) once(at string, list []string) {
	seen := make(map[string]bool, len(list))
	for i, text := range list {
		if seen[text] {
			c.add(at+"/"+strconv.Itoa(i), "%.80s stands here twice", text)
		}
		seen[text] = true
	}
}

// read reads a file that the scenario names, beside it.
func (c *checker) read(name string) ([]byte, error) {
	if c.beside == nil {
		return nil, errors.New("a file cannot be named here")
	}
	return fs.ReadFile(c.beside, path.Clean(name))
}
