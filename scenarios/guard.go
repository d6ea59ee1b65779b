package scenarios

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// quotaRate is what a target that is not on this machine gets at most, unless
// its owner says otherwise: a real DPS takes 1,000 registrations a minute.
const quotaRate = 16 // a second

// GuardError refuses a target that is not on this machine.
type GuardError struct{ Host, Why string }

func (e *GuardError) Error() string {
	return fmt.Sprintf("%s is not on this machine; if it is yours to load, say --target-is-mine %s (%s)", e.Host, e.Host, e.Why)
}

// guard looks at every host that the run will send load to. It returns the
// highest rate of boots a second, 0 for no bound.
func (s Scenario) guard(env Env) (atMost float64, err error) {
	for _, host := range s.remotes() {
		if !env.mine(host) {
			return 0, &GuardError{Host: host, Why: s.cost()}
		}
		atMost = quotaRate
	}
	if env.AboveQuota {
		atMost = 0
	}
	return atMost, nil
}

// mine reports whether the run's owner has named a host.
func (e Env) mine(host string) bool {
	return slices.ContainsFunc(strings.Split(e.TargetIsMine, ","), func(named string) bool { return strings.EqualFold(named, host) })
}

// Loads says which hosts beyond this machine a run will load, and what it takes of
// a real DPS; empty if there are none.
func (s Scenario) Loads() string {
	hosts := s.remotes()
	if len(hosts) == 0 {
		return ""
	}
	return strings.Join(hosts, " and ") + ": " + s.cost()
}

// cost says what a run takes of a real DPS.
func (s Scenario) cost() string {
	n := s.devices()
	if s.direct() {
		return fmt.Sprintf("%d calls of it, where a real DPS makes 1,000 a minute at most", n)
	}
	asked := s.boots() // at worst: DPS may move a device at any time
	minutes := time.Duration(asked) * time.Minute / 1000
	return fmt.Sprintf("%d devices, %s at a real DPS's 1,000 registrations a minute, %d billed registrations", n, minutes.Round(time.Second), asked)
}

// remotes are the hosts beyond this machine, in the order in which devices meet
// them.
func (s Scenario) remotes() []string {
	var hosts []string
	add := func(host string) {
		if host != "" && !Loopback(host) && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if s.Target != nil {
		if u, err := url.Parse(s.Target.Webhook); err == nil {
			add(u.Hostname())
		}
		host, _, _ := net.SplitHostPort(s.Target.DPS)
		add(host)
		for _, address := range append(slices.Clone(s.Target.Endpoints), s.Target.Gateway) {
			host, _, _ := net.SplitHostPort(address)
			add(host)
		}
		return hosts
	}
	for _, e := range s.Cloud.records() {
		if u, err := url.Parse(e.WebhookURL); err == nil {
			add(u.Hostname())
		}
	}
	return hosts
}

// Loopback reports whether a host is this machine by its very name. A name that
// only resolves to it is somebody's.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// devices is how many there are.
func (s Scenario) devices() int {
	n := 0
	for _, f := range s.Fleets {
		n += f.Count
	}
	return n
}

// Guard refuses a webhook beyond this machine that its owner has not named.
func (s Scenario) Guard(targetIsMine string) error {
	_, err := s.guard(Env{TargetIsMine: targetIsMine})
	return err
}
