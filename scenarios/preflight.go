package scenarios

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"dpsfleet/fleet"
)

// Preflight compares what a run takes with what this machine gives. What is short
// stops Run, unless it is an estimate: those are for a person to know beforehand.
func Preflight(s Scenario, env Env) []fleet.Finding {
	r := &run{Scenario: s, env: env}
	atMost, _ := r.guard(env) // Run refuses what it refuses
	r.makePlan(atMost)
	return fleet.Preflight(r.need())
}

// makePlan is who starts when, as the environment has it.
func (r *run) makePlan(atMost float64) {
	r.plan = r.Plan()
	r.plan.AtMost, r.plan.Closed, r.plan.For = atMost, r.env.Closed, r.env.For
	r.plan.Shard, r.plan.Shards = r.env.Shard, r.env.Shards
}

// What a device takes with a cloud of ours beside it: memory, with what the garbage
// collector leaves lying, for as long as it is there; and CPU time for a boot, of which
// the two handshakes of TLS are the most (make bench has the figures). A device
// whose cloud is elsewhere takes about half, and a call of a webhook less yet.
const (
	secureMemory = 44 << 10
	plainMemory  = 20 << 10 // over a network in memory
	secureCPU    = 2500 * time.Microsecond
	plainCPU     = 700 * time.Microsecond
	callCPU      = 150 * time.Microsecond
)

func (r *run) need() fleet.Need {
	need := fleet.Need{
		Connections: r.peak(),
		FilesEach:   2,
		Paths:       r.paths().count(),
		Sources:     r.paths().sources,
		BytesEach:   r.memoryEach(),
		CPUEach:     plainCPU,
	}
	if r.env.Network.secure() {
		need.CPUEach = secureCPU
	}
	switch {
	case r.direct():
		need.FilesEach, need.CPUEach = 1, callCPU
	case r.Scenario.Target != nil:
		need.FilesEach, need.CPUEach = 1, need.CPUEach/2
	case r.env.Network == NetworkMemory:
		need.FilesEach = 0
		need.BytesEach += need.BytesEach / 4 // see CollectLess
	}
	if !r.env.Closed { // which are as many as there is CPU for
		need.PerSecond = r.plan.Describe().Peak
	}
	return need
}

// memoryEach is what one device takes of this process's memory.
func (r *run) memoryEach() int {
	switch {
	case r.Scenario.Target != nil: // which a webhook that is called directly is too
		return secureMemory / 2
	case r.env.Network == NetworkMemory:
		return plainMemory
	}
	return secureMemory
}

// preflight finds what the machine lacks before anything is started.
func (r *run) preflight() error {
	need := r.need()
	var short []error
	for _, finding := range fleet.Preflight(need) {
		if finding.Short() && !finding.Estimate {
			short = append(short, errors.New(finding.String()))
		}
	}
	if err := errors.Join(short...); err != nil {
		return fmt.Errorf("this machine cannot hold %d connections at once (--network memory needs none, limits: inFlight: bounds them): %w", need.Connections, err)
	}
	if r.env.Network == NetworkMemory && len(r.Sources) > 0 {
		return errors.New("sources are addresses on a network; --network memory has none")
	}
	return nil
}

// peak is how many connections may be open at once.
func (r *run) peak() int {
	parts := max(1, r.env.Shards)
	n := (r.devices() + parts - 1) / parts
	if limit := r.Limits.InFlight; limit > 0 {
		n = min(n, limit)
	}
	if r.direct() && r.Target.HTTP.Connections > 0 {
		n = min(n, r.Target.HTTP.Connections)
	}
	return n
}

// CheckSources says what is wrong with the scenario's sources by their words alone.
func (s Scenario) CheckSources() error {
	for _, text := range s.Sources {
		if _, err := parseSource(text); err != nil {
			return err
		}
	}
	return nil
}

func parseSource(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || address.IsUnspecified() || address.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("%.80q is not the address of a machine, as 127.0.0.2 is", text)
	}
	return address, nil
}

// sourceAddresses are the sources that are addresses; the others are mistakes.
func (s Scenario) sourceAddresses() []netip.Addr {
	var all []netip.Addr
	for _, text := range s.Sources {
		if address, err := parseSource(text); err == nil {
			all = append(all, address)
		}
	}
	return all
}
