package fleet

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"runtime"
	"time"
)

// Need is what a run takes from the machine.
type Need struct {
	// Connections is how many are open at once at the peak.
	Connections int
	// FilesEach is how many files this process holds for each of them: 1, or 2
	// where it is the other end too. 0 is a network in memory, which needs none.
	FilesEach int
	// Paths is over how many pairs of a local address and a target's address
	// the connections are spread: each has local ports of its own. 0 is one.
	Paths int
	// Sources are the local addresses that connections are bound to; none is
	// whichever the system takes.
	Sources []netip.Addr

	// BytesEach is about how much memory one takes, PerSecond how many boots are due
	// in the busiest second, and CPUEach about how much CPU time one takes. 0 is
	// unknown.
	BytesEach int
	PerSecond int
	CPUEach   time.Duration
}

// Finding compares what a run needs of one thing with what the machine gives.
type Finding struct {
	What       string // such as "open files" or "local ports"
	Need, Have int
	// Estimate says that the need is one: a run may do with less.
	Estimate bool
	// Advice says what to change when the machine gives too little.
	Advice string
}

// Short reports whether the machine gives less than is needed.
func (f Finding) Short() bool { return f.Have < f.Need }

// String is the finding as one line, with the advice if it is short.
func (f Finding) String() string {
	about := ""
	if f.Estimate {
		about = "about "
	}
	if f.Short() {
		return fmt.Sprintf("%s: %s%d needed, %d there; %s", f.What, about, f.Need, f.Have, f.Advice)
	}
	return fmt.Sprintf("%s: %s%d needed, %d there", f.What, about, f.Need, f.Have)
}

// otherFiles is room for all files that are no device's: listeners, logs, the
// webhook's connections.
const otherFiles = 128

// Preflight compares the need with the limits of this process and machine; what
// it cannot read here it leaves out. It raises the limit of open files as far as
// the process may.
func Preflight(n Need) []Finding {
	findings := n.estimates()
	if n.FilesEach == 0 {
		return findings
	}
	files := n.Connections*n.FilesEach + otherFiles
	if have, ok := openFiles(files); ok {
		findings = append(findings, Finding{What: "open files", Need: files, Have: have, Advice: filesAdvice(files)})
	}
	paths := max(1, n.Paths)
	each := (n.Connections + paths - 1) / paths
	if have, ok := localPorts(); ok {
		findings = append(findings, Finding{What: "local ports", Need: each, Have: have, Advice: portsAdvice})
	}
	for _, source := range n.Sources {
		findings = append(findings, bound(source))
	}
	return findings
}

// bound finds out whether connections can come from an address.
func bound(source netip.Addr) Finding {
	f := Finding{What: "local address " + source.String(), Need: 1, Have: 1}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)))
	if err != nil {
		f.Have, f.Advice = 0, fmt.Sprintf("it must be an address of this machine (%v)", err)
		return f
	}
	l.Close()
	return f
}

// estimates are memory and CPU, of which nobody knows beforehand exactly what a run
// takes.
func (n Need) estimates() []Finding {
	var findings []Finding
	if have, ok := freeMemory(); ok && n.BytesEach > 0 {
		findings = append(findings, Finding{
			What: "MiB of memory", Need: n.Connections * n.BytesEach >> 20, Have: int(have >> 20), Estimate: true,
			Advice: "have fewer devices at once (limits: inFlight:, stay:), or share the run with other machines (--shard)",
		})
	}
	if n.PerSecond > 0 && n.CPUEach > 0 {
		busy := float64(n.PerSecond) * n.CPUEach.Seconds()
		findings = append(findings, Finding{
			What: "CPUs", Need: int(math.Ceil(busy)), Have: runtime.GOMAXPROCS(0), Estimate: true,
			Advice: fmt.Sprintf("%d devices are due in the busiest second, and will wait for each other here: let them arrive more slowly, or share the run with other machines (--shard)", n.PerSecond),
		})
	}
	return findings
}
