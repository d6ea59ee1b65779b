package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"dpsfleet/metrics"
)

// Comparison writes two runs side by side for a person. Of single fleets it shows
// what differs by more than noise. The error is w's.
func Comparison(w io.Writer, c metrics.Comparison, opts Options) error {
	p := &page{opts: opts}
	for _, side := range []struct {
		name string
		metrics.Side
	}{{"A", c.A}, {"B", c.B}} {
		p.printf("%s  %s  %s due   %v   seed %d   %s   %s\n", p.paint(bold, side.name), side.Verdict, thousands(side.Due), side.Took,
			side.Seed, side.Started.UTC().Format(time.RFC3339), clean(side.Log))
	}
	p.printf("\n")
	rows := [][]string{{"", "A", "B", "B - A", "between", ""}}
	for _, row := range c.Rows {
		if row.Fleet == "" || row.Real {
			rows = append(rows, p.compared(row))
		}
	}
	p.table(rows)
	p.printf("\n%s of %d figures differ by more than noise. Between is where the difference lies at %.0f %%, each boot taken as\n"+
		"independent of the others; by chance alone about %.0f would be called so.\n",
		thousands(len(c.MoreThanNoise())), len(c.Rows), 100*c.Level, math.Ceil(float64(len(c.Rows))*(1-c.Level)))
	for _, note := range c.Notes {
		p.printf("note: %s\n", clean(note))
	}
	return p.writeTo(w)
}

func (p *page) compared(r metrics.Row) []string {
	name := r.Name + " " + r.Stat
	if r.Fleet != "" {
		name = clean(r.Fleet) + " " + name
	}
	cells := []string{name, figureOf(r, r.A), figureOf(r, r.B), signed(r, r.Difference())}
	switch {
	case r.TooFew:
		return append(cells, "", p.paint(faint, "too few to tell"))
	case r.Real:
		return append(cells, signed(r, r.Low)+" .. "+signed(r, r.High), p.paint(bold, "more than noise"))
	}
	return append(cells, signed(r, r.Low)+" .. "+signed(r, r.High), p.paint(faint, "noise"))
}

func figureOf(r metrics.Row, v float64) string {
	if r.Stat == "share" {
		return strconv.FormatFloat(v, 'f', 2, 64) + "%"
	}
	return metrics.Millis(v * float64(time.Millisecond)).String()
}

func signed(r metrics.Row, v float64) string {
	text := figureOf(r, v)
	if strings.HasPrefix(text, "-") {
		return text
	}
	return "+" + text
}

// ComparisonJSON writes it for a program. The error is w's.
func ComparisonJSON(w io.Writer, c metrics.Comparison) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(c); err != nil {
		return fmt.Errorf("writing the comparison: %w", err)
	}
	return nil
}
