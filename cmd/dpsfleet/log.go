package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
)

// logFlags say how the program logs what it does; the log of a run is another.
type logFlags struct {
	format logFormat
	level  logLevel
}

func (f *logFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.Var(&f.format, "log-format", "`FORMAT` of what the program logs on standard error: text or json")
	flags.Var(&f.level, "log-level", "the least `LEVEL` that it logs: debug, info, warn or error; if not given warn, and of emulate info")
}

// logger logs to w, and from that level on if none is asked for.
func (f *logFlags) logger(w io.Writer, otherwise slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: otherwise}
	if f.level.given {
		options.Level = f.level.level
	}
	if f.format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// logFormat and logLevel are values of flags.
type logFormat string

func (f *logFormat) String() string { return string(*f) }
func (f *logFormat) Type() string   { return "format" }

func (f *logFormat) Set(text string) error {
	if text != "text" && text != "json" {
		return fmt.Errorf("%q is neither text nor json", text)
	}
	*f = logFormat(text)
	return nil
}

type logLevel struct {
	level slog.Level
	given bool
}

func (l *logLevel) Type() string { return "level" }

func (l *logLevel) String() string {
	if !l.given {
		return ""
	}
	return strings.ToLower(l.level.String())
}

func (l *logLevel) Set(text string) error {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(level.String(), text) {
			l.level, l.given = level, true
			return nil
		}
	}
	return fmt.Errorf("%q is none of debug, info, warn and error", text)
}
