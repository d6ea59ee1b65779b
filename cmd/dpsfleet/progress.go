package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
)

// progress shows a run as it goes: a few lines that are drawn over on a terminal, a
// line every ten seconds elsewhere.
type progress struct {
	p        *program
	terminal *os.File // nil if the output is none
	options  report.Options
	quiet    bool
	last     time.Time

	mu    sync.Mutex // what is logged meanwhile is written from anywhere
	drawn []int      // how long the lines are that are on the terminal
}

const (
	terminalEvery = 200 * time.Millisecond
	plainEvery    = 10 * time.Second
)

func (p *program) progress(quiet bool) *progress {
	s := &progress{p: p, quiet: quiet}
	if isTerminal(p.stderr) && p.getenv("TERM") != "dumb" {
		s.terminal = fileOf(p.stderr)
		s.options.Color = p.getenv("NO_COLOR") == ""
	}
	return s
}

// show is called by the recorder, several times a second.
func (s *progress) show(at metrics.Progress) {
	now := time.Now()
	every := plainEvery
	if s.terminal != nil {
		every = terminalEvery
	}
	if s.last.IsZero() {
		s.last = now
	}
	if s.quiet || now.Sub(s.last) < every {
		return
	}
	s.last = now
	if s.terminal == nil {
		fmt.Fprintln(s.p.stderr, report.Progress(at, report.Options{}))
		return
	}
	s.draw(at)
}

// draw writes over what was drawn. The window may have another size by now.
func (s *progress) draw(at metrics.Progress) {
	width, height := s.size()
	opts := s.options
	opts.Width = width - 1 // to the last column some terminals wrap
	lines := report.Display(at, opts)
	lines = lines[:min(len(lines), max(1, height-1))]
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.p.stderr, s.erase(width)+strings.Join(lines, "\n"))
	for _, line := range lines {
		s.drawn = append(s.drawn, report.Visible(line))
	}
}

func (s *progress) size() (width, height int) {
	width, height, err := term.GetSize(int(s.terminal.Fd()))
	if err != nil || width < 2 || height < 2 {
		return 80, 24
	}
	return width, height
}

// erase is what takes the lines off the terminal. Those that no longer fit a window
// that was made narrower have become several.
func (s *progress) erase(width int) string {
	rows := 0
	for _, columns := range s.drawn {
		rows += max(1, (columns+width-1)/width)
	}
	s.drawn = nil
	switch rows {
	case 0:
		return ""
	case 1:
		return "\r\x1b[J"
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", rows-1)
}

// clear leaves the terminal to whoever writes next.
func (s *progress) clear() {
	if s.terminal == nil {
		return
	}
	width, _ := s.size()
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.p.stderr, s.erase(width))
}

// Write is for what is logged meanwhile: it comes above the lines, which are drawn
// again.
func (s *progress) Write(text []byte) (int, error) {
	s.clear()
	return s.p.stderr.Write(text)
}
