package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
	"dpsfleet/provisioning/wording"
)

// reportFlags name the files that a report is also written to.
type reportFlags struct{ html, junit, csv, summary string }

// add gives a verb these flags; html is what the page's is called there.
func (f *reportFlags) add(cmd *cobra.Command, html string) {
	flags := cmd.Flags()
	flags.StringVar(&f.html, html, "", "`FILE` for the report as one HTML page, to be passed around")
	flags.StringVar(&f.junit, "junit", "", "`FILE` for the report as JUnit's XML, for CI")
	flags.StringVar(&f.csv, "csv", "", "`FILE` for the boots as CSV, a line each")
	flags.StringVar(&f.summary, "summary", "", "`FILE` for the report as JSON; dpsfleet report --schema prints its schema")
}

// open makes the files, so that one that cannot be written is known before
// anything starts. What they hold stays until there is something to write.
func (f *reportFlags) open(cmd *cobra.Command) (*outputs, error) {
	o := &outputs{}
	html := "report"
	if cmd.Flags().Lookup(html) == nil {
		html = "html"
	}
	for _, asked := range []struct {
		flag, path string
		write      func(io.Writer, metrics.Report) error
	}{
		{html, f.html, report.HTML}, {"junit", f.junit, report.JUnit}, {"csv", f.csv, nil}, {"summary", f.summary, report.JSON},
	} {
		if asked.path == "" {
			continue
		}
		file, err := o.create(asked.flag, asked.path)
		if err != nil {
			o.close()
			return nil, err
		}
		file.write = asked.write
		if asked.write == nil {
			o.csv = report.NewCSV(bufio.NewWriterSize(file, 256<<10))
		}
	}
	return o, nil
}

// outputs are those files; nil are none.
type outputs struct {
	files []*output
	csv   *report.CSV
}

type output struct {
	flag, path string
	file       *os.File
	made       bool // by us, so that it goes if nothing comes of it
	written    bool
	write      func(io.Writer, metrics.Report) error // nil for the CSV, which is written meanwhile
}

func (o *outputs) create(flag, path string) (*output, error) {
	for _, end := range []string{".ndjson", ".ndjson.zst", ".run.json"} {
		if strings.HasSuffix(path, end) {
			return nil, fmt.Errorf("--%s %s: a log has such a name, and logs are never overwritten", flag, path)
		}
	}
	_, err := os.Stat(path)
	made := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--%s cannot be written: %w", flag, err)
	}
	mine := &output{flag: flag, path: path, file: file, made: made}
	for _, other := range o.files {
		if same(file, other.file) {
			file.Close()
			return nil, fmt.Errorf("--%s and --%s name one file, %s", other.flag, flag, path)
		}
	}
	o.files = append(o.files, mine)
	return mine, nil
}

// same reports whether two are one file; two writers to a terminal are none.
func same(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && x.Mode().IsRegular() && os.SameFile(x, y)
}

// Write begins the file anew with the first of it.
func (f *output) Write(data []byte) (int, error) {
	if !f.written {
		f.written = true
		if info, err := f.file.Stat(); err == nil && info.Mode().IsRegular() {
			if err := f.file.Truncate(0); err != nil {
				return 0, err
			}
		}
	}
	return f.file.Write(data)
}

// folds are what a run is to feed.
func (o *outputs) folds() []metrics.Fold {
	if o.csv == nil {
		return nil
	}
	return []metrics.Fold{{Boot: o.csv.Boot}}
}

// write writes what is asked for. All files are tried; the error has what went
// wrong with each.
func (o *outputs) write(r metrics.Report) error {
	var errs []error
	for _, f := range o.files {
		err := f.fill(r, o.csv)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", f.flag, err))
		}
	}
	return errors.Join(errs...)
}

func (f *output) fill(r metrics.Report, csv *report.CSV) error {
	if f.write == nil {
		return csv.Close()
	}
	buffered := bufio.NewWriterSize(f, 64<<10)
	return errors.Join(f.write(buffered, r), buffered.Flush())
}

// close closes the files. One that was made and never written goes again.
func (o *outputs) close() {
	for _, f := range o.files {
		f.file.Close()
		if f.made && !f.written {
			os.Remove(f.path)
		}
	}
}

// result joins a run's verdict and what became of its files. The verdict of a
// run that failed stays, so the files are told of here; where all was met, a file
// that is missing is what the program could not do.
func (p *program) result(verdict, written error) error {
	if verdict == nil || written == nil {
		return errors.Join(verdict, written)
	}
	fmt.Fprintf(p.stderr, "dpsfleet: %s\n", wording.PrintableLines(written.Error()))
	return verdict
}
