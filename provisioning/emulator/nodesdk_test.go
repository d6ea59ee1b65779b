package emulator_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dpsfleet/provisioning/emulator"
)

const (
	nodeSDKs     = "testdata/node"
	nodePatience = 30 * time.Second // for one command; the SDKs give up after as long
)

// nodeProcess runs Microsoft's Node SDKs: one process for many devices. A
// command a line goes in; answers and what devices hear come out.
type nodeProcess struct {
	cloud *emulator.Cloud

	mu      sync.Mutex
	stdin   io.Writer
	last    int
	waiting map[int]chan nodeLine
	heard   map[string]chan nodeLine // by device and event
	gone    chan struct{}
}

// nodeLine is a line of testdata/node/driver.js.
type nodeLine struct {
	ID            int
	Result        json.RawMessage
	Error         *nodeError
	Device, Event string
	Value         json.RawMessage
}

// nodeError is what a developer catches.
type nodeError struct {
	Name, Message string
	Result        struct {
		operation
		ErrorCode int
		Message   string
	}
}

// startNode starts the SDKs with trust in the cloud's authority, which they read
// as they start and never again. Without them the test is skipped, but not in
// CI, where they belong.
func startNode(t *testing.T, cloud *emulator.Cloud) *nodeProcess {
	t.Helper()
	_, missing := exec.LookPath("node")
	if missing == nil {
		_, missing = os.Stat(filepath.Join(nodeSDKs, "node_modules", ".package-lock.json"))
	}
	if missing != nil {
		withoutNode(t, missing)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, cloud.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "driver.js")
	cmd.Dir, cmd.Stderr = nodeSDKs, os.Stderr
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &nodeProcess{cloud: cloud, stdin: stdin, waiting: map[int]chan nodeLine{}, heard: map[string]chan nodeLine{}, gone: make(chan struct{})}
	go n.read(stdout)
	t.Cleanup(func() {
		stdin.Close() // ends it
		defer time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() }).Stop()
		<-n.gone
		if err := cmd.Wait(); err != nil {
			t.Errorf("the SDKs' process ended badly: %v", err)
		}
	})
	return n
}

// withoutNode says loudly that Microsoft's SDKs were not asked.
func withoutNode(t *testing.T, why error) {
	t.Helper()
	says := fmt.Sprintf("MICROSOFT'S NODE SDKS ARE MISSING (%v): the emulator was not tried with them; `make clients` installs them", why)
	if os.Getenv("CI") == "true" {
		t.Fatal(says)
	}
	fmt.Fprintln(os.Stderr, says)
	t.Skip(says)
}

func (n *nodeProcess) read(stdout io.Reader) {
	defer close(n.gone)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line nodeLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			fmt.Fprintf(os.Stderr, "the SDKs' process wrote %q\n", lines.Bytes())
			continue
		}
		if line.Event != "" {
			n.ear(line.Device, line.Event) <- line
			continue
		}
		n.mu.Lock()
		answer := n.waiting[line.ID]
		delete(n.waiting, line.ID)
		n.mu.Unlock()
		answer <- line
	}
}

// ear is where the events of a device arrive.
func (n *nodeProcess) ear(device, event string) chan nodeLine {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := device + " " + event
	if n.heard[name] == nil {
		n.heard[name] = make(chan nodeLine, 16)
	}
	return n.heard[name]
}

// args are a command's arguments by name.
type args map[string]any

// try gives a command and waits for its answer.
func (n *nodeProcess) try(t *testing.T, command string, with args) nodeLine {
	t.Helper()
	answer := make(chan nodeLine, 1)
	n.mu.Lock()
	n.last++
	n.waiting[n.last] = answer
	line := args{"id": n.last, "command": command}
	for name, value := range with {
		line[name] = value
	}
	err := json.NewEncoder(n.stdin).Encode(line)
	n.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	return n.wait(t, answer, command)
}

func (n *nodeProcess) wait(t *testing.T, from <-chan nodeLine, what string) nodeLine {
	t.Helper()
	select {
	case line := <-from:
		return line
	case <-n.gone:
		t.Fatalf("%s: the SDKs' process ended; an answer that is not JSON kills it", what)
	case <-time.After(nodePatience):
		t.Fatalf("%s: no answer in %s", what, nodePatience)
	}
	return nodeLine{}
}

// do is try for what must succeed; it reads the answer into result.
func (n *nodeProcess) do(t *testing.T, command string, with args, result any) {
	t.Helper()
	line := n.try(t, command, with)
	if line.Error != nil {
		t.Fatalf("%s: %s: %s", command, line.Error.Name, line.Error.Message)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(line.Result, result); err != nil {
		t.Fatalf("%s answered %s: %v", command, line.Result, err)
	}
}

// hear is the next event of a device.
func (n *nodeProcess) hear(t *testing.T, device, event string) string {
	t.Helper()
	return string(n.wait(t, n.ear(device, event), device+" waits for "+event).Value)
}
