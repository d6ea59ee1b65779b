//go:build unix

package scenarios_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/scenarios"
)

// A benchmark's cloud is a process of its own, so that what a boot costs the
// devices and what it costs the cloud are two figures. It is this test binary:
// roleEnv says as what it runs, and askedEnv, in JSON, what for.
const (
	roleEnv  = "DPSFLEET_BENCH_ROLE"
	askedEnv = "DPSFLEET_BENCH_ASKED"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "lane":
		serveLane()
	case "webhook":
		answerAtOnce()
	case "cloud":
		serveCloud()
	case "limit":
		serveLimit()
	case "hostile":
		serveHostile()
	case "memory":
		holdInMemory()
	default:
		os.Exit(m.Run())
	}
	os.Exit(0)
}

// process is one of those. It says a line of JSON when it is ready and one for
// each line that it is sent, and ends with its standard input.
type process struct {
	b    testing.TB
	in   io.WriteCloser
	said *bufio.Scanner
}

// startProcess starts one and reads what it says of itself.
func startProcess(b testing.TB, role string, asked, ready any) *process {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(asked)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role, askedEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	p := start(b, cmd)
	p.hear(ready)
	return p
}

func start(b testing.TB, cmd *exec.Cmd) *process {
	b.Helper()
	p := &process{b: b}
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	p.in, p.said = in, bufio.NewScanner(out)
	return p
}

func (p *process) hear(answer any) {
	p.b.Helper()
	if !p.said.Scan() || json.Unmarshal(p.said.Bytes(), answer) != nil {
		p.b.Fatalf("the other process said %q", p.said.Text())
	}
}

// used is what the process has used so far; no process has used nothing.
func (p *process) used() usage {
	if p == nil {
		return usage{}
	}
	return p.ask("")
}

// boots has a lane's process boot so many devices.
func (p *process) boots(n int) { p.ask(strconv.Itoa(n)) }

func (p *process) ask(line string) (u usage) {
	p.b.Helper()
	fmt.Fprintln(p.in, line)
	p.hear(&u)
	return u
}

// readAsked reads what a process of this binary is for.
func readAsked(what any) {
	if err := json.Unmarshal([]byte(os.Getenv(askedEnv)), what); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func say(what any) { json.NewEncoder(os.Stdout).Encode(what) }

// sayUsage says what this process has used, whenever it is asked, to the end of
// its standard input.
func sayUsage() { serveLines(func(string) {}) }

// serveLines does what each line asks for, and then says what this process has used.
func serveLines(do func(line string)) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		do(in.Text())
		say(usedHere())
	}
}

// usage is what a process has used so far.
type usage struct {
	CPU       time.Duration
	Allocated uint64
}

func usedHere() usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		fail(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{time.Duration(r.Utime.Nano() + r.Stime.Nano()), m.TotalAlloc}
}

func (u usage) since(before usage) usage {
	return usage{u.CPU - before.CPU, u.Allocated - before.Allocated}
}

func (u usage) and(more usage) usage {
	return usage{u.CPU + more.CPU, u.Allocated + more.Allocated}
}

// inUse is what is in use after a collection: heap and stacks.
func inUse() int64 {
	runtime.GC() // twice, so that pools are empty
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// peakMemory is the most memory that the operating system ever gave to this
// process, in bytes; 0 where it does not tell.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(kilobytes, 10, 64)
	return n << 10
}

// cloudAsked is what a cloud of ours is to be.
type cloudAsked struct {
	Secure  bool
	Webhook string // that allocates; empty is static allocation
}

// place is where a server is, and its authority.
type place struct {
	Address string
	CA      []byte
}

// benchHub is where the webhook of BenchmarkStress sends every device, too.
const benchHub = "contoso-toasters-hub-1098.azure-devices.net"

// benchCloud answers at once, and sends every device to the same hub.
const benchCloud = `name: bench
cloud:
  linkedHubs: [` + benchHub + `]
  enrollmentGroups: {toasters: {allocationPolicy: static, iotHubHostName: ` + benchHub + `}}
  answers: {register: 0s, allocate: 0s, retryAfter: 0s}
fleets: {toasters: {model: toaster, count: 1}}
`

func benchScenario(webhook string) scenarios.Scenario {
	text := benchCloud
	if webhook != "" {
		text = strings.Replace(text, "allocationPolicy: static, iotHubHostName: "+benchHub, "webhookUrl: "+webhook, 1)
	}
	s, err := scenarios.Read("bench.yaml", []byte(text), nil)
	if err != nil {
		fail(err)
	}
	return s
}

func benchKey() provisioning.Key {
	key, err := provisioning.ParseKey(scenarios.TutorialGroupKey)
	if err != nil {
		fail(err)
	}
	return key
}

func serveCloud() {
	var wanted cloudAsked
	readAsked(&wanted)
	config := benchScenario(wanted.Webhook).Config(benchKey(), nil)
	config.TLS, config.Observe.Off = wanted.Secure, true
	defer scenarios.CollectLess(0)()
	cloud := startCloud(config)
	say(place{cloud.Addr(), cloud.CA()})
	sayUsage()
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
