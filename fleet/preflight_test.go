package fleet_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"dpsfleet/fleet"
)

func TestPreflightSaysWhatToChange(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("only on Linux and macOS are limits read")
	}
	findings := fleet.Preflight(fleet.Need{Connections: 1 << 31, FilesEach: 2})
	advice := map[string]string{"open files": "`ulimit -n 4294967424`", "local ports": "portrange"}
	if len(findings) != len(advice) {
		t.Fatalf("%d findings: %v", len(findings), findings)
	}
	for _, f := range findings {
		text := strings.ReplaceAll(f.String(), "port_range", "portrange")
		if !f.Short() || !strings.Contains(text, advice[f.What]) {
			t.Errorf("%v", f)
		}
	}
}

func TestPreflightOfASmallRunFindsNothingShort(t *testing.T) {
	for _, f := range fleet.Preflight(fleet.Need{Connections: 2, FilesEach: 1}) {
		if f.Short() || f.Need < 2 {
			t.Errorf("%v", f)
		}
	}
}

func TestPreflightOfANetworkInMemoryNeedsNothing(t *testing.T) {
	if findings := fleet.Preflight(fleet.Need{Connections: 1 << 31}); len(findings) > 0 {
		t.Errorf("%v", findings)
	}
}

func TestPreflightSpreadsPortsOverPaths(t *testing.T) {
	for _, f := range fleet.Preflight(fleet.Need{Connections: 100_001, FilesEach: 1, Paths: 100}) {
		if f.What == "local ports" && f.Need != 1001 {
			t.Errorf("%d ports are needed on each of 100 paths, want 1001", f.Need)
		}
	}
}

func ExampleFinding_String() {
	fmt.Println(fleet.Finding{What: "open files", Need: 40128, Have: 1024, Advice: "run `ulimit -n 40128`"})
	fmt.Println(fleet.Finding{What: "local ports", Need: 1000, Have: 28232, Advice: "none"})
	// Output:
	// open files: 40128 needed, 1024 there; run `ulimit -n 40128`
	// local ports: 1000 needed, 28232 there
}

func TestPreflightTriesTheSources(t *testing.T) {
	sources := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")} // the latter is nobody's (RFC 5737)
	short := ""
	for _, f := range fleet.Preflight(fleet.Need{Connections: 2, FilesEach: 1, Sources: sources}) {
		if f.Short() {
			short += f.String()
		}
	}
	if want := "local address 192.0.2.1: 1 needed, 0 there; it must be an address of this machine"; !strings.HasPrefix(short, want) {
		t.Errorf("%s, want %s", short, want)
	}
}

// What is estimated is told, also of a network in memory, and stops nobody.
func TestPreflightEstimates(t *testing.T) {
	found := make(map[string]fleet.Finding)
	for _, f := range fleet.Preflight(fleet.Need{Connections: 1 << 40, BytesEach: 1 << 10, PerSecond: 1_000_000, CPUEach: time.Millisecond}) {
		found[f.What] = f
	}
	if f := found["CPUs"]; !f.Short() || !f.Estimate || f.Need != 1000 || f.Have != runtime.GOMAXPROCS(0) {
		t.Errorf("%+v", f)
	}
	if f, read := found["MiB of memory"]; runtime.GOOS == "linux" && (!read || !f.Short() || !f.Estimate || f.Need != 1<<30) {
		t.Errorf("%+v", f)
	}
}
