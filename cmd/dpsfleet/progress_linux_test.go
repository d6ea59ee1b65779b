package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A run at a terminal of its own draws over what it has drawn, keeps to the width of
// the window and to NO_COLOR, and leaves nothing behind.
func TestProgressOnATerminal(t *testing.T) {
	for _, noColor := range []bool{false, true} {
		t.Run(fmt.Sprint("NO_COLOR=", noColor), func(t *testing.T) {
			said := onTerminal(t, 40, noColor, "run", "contoso-boot", "--network", "memory", "--no-log")
			frames := strings.Split(said, "\x1b[J")
			if len(frames) < 4 {
				t.Fatalf("drawn %d times:\n%q", len(frames)-1, said)
			}
			last, frames := frames[len(frames)-1], frames[:len(frames)-1]
			if strings.TrimSpace(last) != "" {
				t.Errorf("it leaves %q behind", last)
			}
			for _, frame := range frames {
				for _, line := range strings.Split(frame, "\n") {
					if n := len([]rune(plainly(line))); n > 40 {
						t.Errorf("%d columns: %q", n, line)
					}
				}
			}
			if coloured := strings.Contains(said, "\x1b[2m"); coloured == noColor {
				t.Errorf("in colour: %t\n%q", coloured, said)
			}
			if !strings.Contains(said, "of 2 booted") {
				t.Errorf("%q", said)
			}
		})
	}
}

// plainly is a line without what steers the terminal.
func plainly(line string) string {
	for {
		before, after, ok := strings.Cut(line, "\x1b[")
		if !ok {
			return strings.Trim(line, "\r")
		}
		end := strings.IndexAny(after, "mAJ")
		line = before + after[end+1:]
	}
}

// onTerminal is what the program says on standard error where that is a terminal.
func onTerminal(t *testing.T, columns uint16, noColor bool, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("dpsfleet")
	if err != nil {
		t.Fatal(err) // testscript.Main has put it there
	}
	ours, theirs := terminal(t, columns)
	cmd := exec.Command(path, args...)
	cmd.Stderr = theirs
	cmd.Env = append(os.Environ(), "TERM=xterm")
	if noColor {
		cmd.Env = append(cmd.Env, "NO_COLOR=1")
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer kill.Stop()
	said, _ := io.ReadAll(ours) // it ends with EIO when the other end is closed
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	return string(said)
}

// terminal is both ends of one (pty(7)).
func terminal(t *testing.T, columns uint16) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { ours.Close() })
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
