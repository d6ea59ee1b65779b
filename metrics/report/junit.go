package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"dpsfleet/metrics"
)

// The elements of JUnit's XML that CI systems agree on.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string     `xml:"name,attr"`
		Class   string     `xml:"classname,attr"`
		Time    string     `xml:"time,attr"`
		Failure *junitText `xml:"failure"`
		Error   *junitText `xml:"error"`
		Skipped *junitText `xml:"skipped"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the report for a CI system: a suite for the run and one for each
// fleet; in them a case for each threshold and each expectation, and for what
// else may fail a run. What speaks against this machine, and not against the
// target, is an error and no failure. The error is w's.
func JUnit(w io.Writer, r metrics.Report) error {
	all := junitSuites{Name: clean(orDash(r.Run.Scenario)), Time: inSeconds(r.Took)}
	all.add(r, "run", runCases(r))
	for _, f := range r.Fleets {
		all.add(r, f.Name, fleetCases(r, f.Name))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	out := xml.NewEncoder(w)
	out.Indent("", "  ")
	if err := out.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuites) add(r metrics.Report, name string, cases []junitCase) {
	suite := junitSuite{
		Name: clean(name), Tests: len(cases), Time: inSeconds(r.Took),
		Timestamp: r.Run.Started.UTC().Format(time.RFC3339), Cases: cases,
	}
	for i := range cases {
		cases[i].Class, cases[i].Time = s.Name+"."+suite.Name, "0.000"
		suite.Failures += count1(cases[i].Failure)
		suite.Errors += count1(cases[i].Error)
		suite.Skipped += count1(cases[i].Skipped)
	}
	s.Tests += suite.Tests
	s.Failures += suite.Failures
	s.Errors += suite.Errors
	s.Skipped += suite.Skipped
	s.Suites = append(s.Suites, suite)
}

func count1(text *junitText) int {
	if text == nil {
		return 0
	}
	return 1
}

// runCases are always the same ones, so that a CI system can follow each from
// run to run, and the thresholds on the run as a whole.
func runCases(r metrics.Report) []junitCase {
	cases := []junitCase{endedCase(r), failuresCase(r), healthCase(r), reconciledCase(r.Run.Reconciliation)}
	return append(cases, thresholdCases(r, "")...)
}

func endedCase(r metrics.Report) junitCase {
	c := junitCase{Name: "every boot that was due is accounted for"}
	if r.Run.Interrupted {
		c.Error = &junitText{Message: "the run was interrupted", Type: "interrupted"}
		return c
	}
	if r.Due != r.Accounted || r.Accounted == 0 {
		c.fail("accounting", fmt.Sprintf("%d were due, %d are accounted for", r.Due, r.Accounted))
	}
	return c
}

// failuresCase has what fails a run beside thresholds and shares: boots that met
// no expectation, a fault that touched nothing, a run that stopped itself.
func failuresCase(r metrics.Report) junitCase {
	c := junitCase{Name: "no boot is unexpected, no fault is in vain"}
	if len(r.Failures) == 0 {
		return c
	}
	lines := make([]string, 0, len(r.Failures)+len(r.Unexpected))
	for _, failure := range r.Failures {
		lines = append(lines, clean(failure))
	}
	for _, b := range r.Unexpected {
		lines = append(lines, fmt.Sprintf("%s (%s): %s", clean(b.ID), clean(b.Fleet), clean(b.Unmet)))
	}
	c.fail("run", lines[0], lines...)
	return c
}

func healthCase(r metrics.Report) junitCase {
	c := junitCase{Name: "the generator kept up"}
	if !r.Run.Health.Valid() {
		limits := clean(strings.Join(r.Run.Health.Limits, "; "))
		c.Error = &junitText{Message: limits, Type: "generator-limited", Text: "the figures do not speak of the target: " + limits}
	}
	return c
}

func reconciledCase(rec metrics.Reconciliation) junitCase {
	c := junitCase{Name: "devices and cloud agree"}
	if !rec.Checked {
		c.Skipped = &junitText{Message: "not checked"}
		return c
	}
	if rec.Differing > 0 {
		var lines []string
		for _, d := range rec.Differences {
			lines = append(lines, fmt.Sprintf("%s heard %s, the cloud says %s", clean(d.ID), clean(d.Device), clean(d.Cloud)))
		}
		c.fail("reconciliation", fmt.Sprintf("they differ on %d", rec.Differing), lines...)
	}
	return c
}

func fleetCases(r metrics.Report, fleet string) (cases []junitCase) {
	for _, e := range r.Expectations {
		if e.Fleet != fleet {
			continue
		}
		c := junitCase{Name: strings.TrimSpace("expects " + clean(e.Expectation) + " " + clean(e.Share))}
		if !e.Passed {
			c.fail("expectation", fmt.Sprintf("%d of %d boots ended so", e.Met, e.Of))
		}
		cases = append(cases, c)
	}
	return append(cases, thresholdCases(r, fleet)...)
}

func thresholdCases(r metrics.Report, fleet string) (cases []junitCase) {
	for _, t := range r.Thresholds {
		if t.Threshold.Fleet != fleet {
			continue
		}
		c := junitCase{Name: "threshold " + clean(t.Threshold.String())}
		if !t.Met {
			c.fail("threshold", "observed "+t.Text)
		}
		cases = append(cases, c)
	}
	return cases
}

func (c *junitCase) fail(kind, message string, lines ...string) {
	c.Failure = &junitText{Message: message, Type: kind, Text: strings.Join(lines, "\n")}
}

func inSeconds(m metrics.Millis) string {
	return strconv.FormatFloat(m.Duration().Seconds(), 'f', 3, 64)
}
