package fleet

import "fmt"

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
}

// Finding compares what a run needs of one thing with what the machine gives.
type Finding struct {
	What       string // "open files" or "local ports"
	Need, Have int
	// Advice says what to change when the machine gives too little.
	Advice string
}

// Short reports whether the machine gives less than is needed.
func (f Finding) Short() bool { return f.Have < f.Need }

// String is the finding as one line, with the advice if it is short.
func (f Finding) String() string {
	if f.Short() {
		return fmt.Sprintf("%s: %d needed, %d there; %s", f.What, f.Need, f.Have, f.Advice)
	}
	return fmt.Sprintf("%s: %d needed, %d there", f.What, f.Need, f.Have)
}

// otherFiles is room for all files that are no device's: listeners, logs, the
// webhook's connections.
const otherFiles = 128

// Preflight compares the need with the limits of this process and machine; what
// it cannot read here it leaves out. It raises the limit of open files as far as
// the process may.
func Preflight(n Need) []Finding {
	if n.FilesEach == 0 {
		return nil
	}
	var findings []Finding
	files := n.Connections*n.FilesEach + otherFiles
	if have, ok := openFiles(files); ok {
		findings = append(findings, Finding{What: "open files", Need: files, Have: have, Advice: filesAdvice(files)})
	}
	paths := max(1, n.Paths)
	each := (n.Connections + paths - 1) / paths
	if have, ok := localPorts(); ok {
		findings = append(findings, Finding{What: "local ports", Need: each, Have: have, Advice: portsAdvice})
	}
	return findings
}
