package report

import (
	"strings"
	"unicode/utf8"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// maxShown is how many places of a fleet the table has; the JSON has all.
const maxShown = 5

// fleets is the table of what became of each fleet: a column for each outcome
// that any of them had, and a line for each place where its boots ended.
func (p *page) fleets(r metrics.Report) {
	if len(r.Fleets) == 0 {
		return
	}
	outcomes := occurring(r.Fleets)
	rows := [][]string{{"fleet", "due"}}
	for _, o := range outcomes {
		rows[0] = append(rows[0], string(o))
	}
	rows[0] = append(rows[0], "where")
	for _, f := range r.Fleets {
		rows = append(rows, p.fleet(f, outcomes)...)
	}
	p.table(rows)
}

func (p *page) fleet(f metrics.FleetReport, outcomes []device.Outcome) [][]string {
	row := []string{clean(f.Name), thousands(f.Due)}
	blank := []string{"", ""}
	for _, o := range outcomes {
		row = append(row, count(f.Outcomes[o]))
		blank = append(blank, "")
	}
	where := p.where(f)
	rows := [][]string{append(row, where[0])}
	for _, line := range where[1:] {
		rows = append(rows, append(blank[:len(blank):len(blank)], line))
	}
	return rows
}

// where says where a fleet's boots ended. The count is left out where there is
// but one place.
func (p *page) where(f metrics.FleetReport) []string {
	if len(f.Places) == 0 {
		return []string{"-"}
	}
	var lines []string
	for i, place := range f.Places {
		if i == maxShown {
			lines = append(lines, p.paint(faint, "and "+thousands(len(f.Places)-maxShown)+" more"))
			break
		}
		line := p.mark(place.Unexpected == 0) + " "
		if len(f.Places) > 1 {
			line += thousands(place.Count) + " "
		}
		lines = append(lines, line+clean(place.Name)+remark(place))
	}
	return lines
}

func remark(place metrics.Place) string {
	switch {
	case place.Unexpected == place.Count:
		return " (unexpected)"
	case place.Unexpected > 0:
		return " (" + thousands(place.Unexpected) + " unexpected)"
	case place.Outcome != device.OutcomeAssigned:
		return " (expected)"
	}
	return ""
}

// occurring are the outcomes that the table needs, assigned always.
func occurring(fleets []metrics.FleetReport) []device.Outcome {
	var outcomes []device.Outcome
	for _, o := range device.Outcomes() {
		had := o == device.OutcomeAssigned
		for _, f := range fleets {
			had = had || f.Outcomes[o] > 0
		}
		if had {
			outcomes = append(outcomes, o)
		}
	}
	return outcomes
}

func count(n int) string {
	if n == 0 {
		return "-"
	}
	return thousands(n)
}

// table writes rows in columns: the first and last flush left, numbers between
// them flush right.
func (p *page) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], visible(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-visible(cell))
			switch i {
			case 0:
				line.WriteString(cell + pad)
			case len(row) - 1:
				line.WriteString("  " + cell)
			default:
				line.WriteString("  " + pad + cell)
			}
		}
		p.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

// visible is how many columns text takes, its colours apart.
func visible(text string) int {
	n := 0
	for text != "" {
		if strings.HasPrefix(text, "\x1b[") {
			_, text, _ = strings.Cut(text, "m")
			continue
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		n++
	}
	return n
}
