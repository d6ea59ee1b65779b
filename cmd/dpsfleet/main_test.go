package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dpsfleet": main})
}

// Each script is a person at a terminal: what is typed, and what must come.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			port, err := freePort()
			env.Setenv("PORT", port)
			env.Setenv("DPS_GROUP_KEY", "")
			https, err2 := freePort()
			env.Setenv("HTTPS_PORT", https)
			return errors.Join(err, err2)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":       await,
			"certify":     certify,
			"exits":       exits,
			"functionapp": functionapp,
			"lines":       lines,
			"post":        post,
			"scrape":      scrape,
		},
	})
}

// freePort is a port that nobody listens on just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
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

// exits CODE [interrupt|terminate] COMMAND...: the command, which is sent that
// signal after a while, ends with that code; its output is in the files out and
// err of the script's folder.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	sent := map[string]os.Signal{"interrupt": os.Interrupt, "terminate": syscall.SIGTERM}[args[0]]
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
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d\n%s%s", got, want, out.String(), problems.String())
	}
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
