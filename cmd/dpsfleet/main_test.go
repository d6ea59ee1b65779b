package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"dpsfleet/scenarios"
)

// Scripts wait for real pauses and hardly work, so more of them run at once than
// there are processors; -parallel says otherwise.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8")
	testscript.Main(m, map[string]func(){"dpsfleet": main})
}

// Each script is a person at a terminal: what is typed, and what must come.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DPS_GROUP_KEY", "")
			return freePorts(env, "PORT", "HTTPS_PORT")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":       await,
			"certify":     certify,
			"exits":       exits,
			"functionapp": functionapp,
			"hasten":      hasten,
			"lines":       lines,
			"post":        post,
			"scrape":      scrape,
		},
	})
}

// freePorts sets names to ports that nobody listens on just now, each to another.
func freePorts(env *testscript.Env, names ...string) error {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close() // only when all are found
		env.Setenv(name, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return nil
}

// await FILE...: until the files are there.
func await(ts *testscript.TestScript, _ bool, files []string) {
	deadline := time.Now().Add(20 * time.Second)
	for _, file := range files {
		for {
			info, err := os.Stat(ts.MkAbs(file))
			if err == nil && info.Size() > 0 {
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("%s does not come: %v", file, err)
			}
			time.Sleep(20 * time.Millisecond) // another process's work, outside of any bubble
		}
	}
}

// hasten NAME: the shipped scenario in the file NAME.yaml, with a cloud that
// answers at once. It takes as long as its devices take to arrive.
func hasten(ts *testscript.TestScript, _ bool, args []string) {
	text, err := scenarios.ShippedText(args[0])
	ts.Check(err)
	const atOnce = "\ncloud:\n  answers: {register: 1ms, allocate: 1ms, retryAfter: 1s}\n"
	hasty := strings.Replace(string(text), "\ncloud:\n", atOnce, 1)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".yaml"), []byte(hasty), 0o600))
}

// exits CODE [interrupt|terminate] COMMAND...: the command, which is sent that
// signal after a while, ends with that code; its output is in the files out and
// err of the script's folder. A run that finds this machine too busy says so with
// 4, and is not a run: there are a few more before that is believed.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, out := command(ts, args[1:])
	for more := 3; got == busy && want != busy && more > 0; more-- {
		discard(ts, args)
		got, out = command(ts, args[1:])
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s", got, want, out)
	}
}

const busy = 4

// discard takes away the files of a run that is to be made again.
func discard(ts *testscript.TestScript, args []string) {
	for i, arg := range args[:len(args)-1] {
		if arg == "--log" || arg == "--record" {
			file := ts.MkAbs(args[i+1])
			os.Remove(file)
			os.Remove(strings.TrimSuffix(strings.TrimSuffix(file, ".zst"), ".ndjson") + ".run.json")
		}
	}
}

// command runs a command of a script and returns how it ended and all it said.
func command(ts *testscript.TestScript, args []string) (code int, said string) {
	sent := map[string]os.Signal{"interrupt": os.Interrupt, "terminate": syscall.SIGTERM, "hangup": syscall.SIGHUP}[args[0]]
	if sent != nil {
		args = args[1:]
	}
	path, err := lookPath(ts, args[0])
	ts.Check(err)
	var out, problems bytes.Buffer
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "DPS_GROUP_KEY=", "DPSFLEET_FUNCTION_KEY="+ts.Getenv("DPSFLEET_FUNCTION_KEY"))
	cmd.Stdout, cmd.Stderr = &out, &problems
	if sent != nil {
		// Under nohup we ignore SIGHUP, and so would the command: what is ignored
		// is inherited, what is caught is not.
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, sent)
		defer signal.Stop(caught)
	}
	ts.Check(cmd.Start())
	if sent != nil {
		defer time.AfterFunc(3*time.Second, func() { cmd.Process.Signal(sent) }).Stop()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("out"), out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("err"), problems.Bytes(), 0o600))
	return cmd.ProcessState.ExitCode(), out.String() + problems.String()
}

// lookPath finds a command as the script would.
func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		path := dir + string(os.PathSeparator) + name
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("no %s", name)
}

// lines N FILE: the file has that many lines.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[1])
	if got := strings.Count(text, "\n"); strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s has %d lines, want %s", args[1], got, args[0])
	}
}
