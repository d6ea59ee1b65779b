package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// Column is one column of the CSV of boots.
type Column struct {
	Name, About string
	of          func(*metrics.Boot) string
}

// Columns are those of the CSV, in their order. Durations are in milliseconds
// and empty where the boot has none.
func Columns() []Column {
	columns := []Column{
		{"registration_id", "the device", func(b *metrics.Boot) string { return b.ID }},
		{"device_id", "as DPS gave it", func(b *metrics.Boot) string { return b.DeviceID }},
		{"fleet", "whose boot it is", func(b *metrics.Boot) string { return b.Fleet }},
		{"model", "the kind of device", func(b *metrics.Boot) string { return b.Model }},
		{"boot", "the device's first boot is 1", func(b *metrics.Boot) string { return strconv.Itoa(b.Boot) }},
		{"due", "when it was to start", func(b *metrics.Boot) string { return b.Due.UTC().Format(time.RFC3339Nano) }},
		{"outcome", "how it ended", func(b *metrics.Boot) string { return string(b.Outcome) }},
		{"hub", "where DPS sent it", func(b *metrics.Boot) string { return b.Hub }},
		{"code", "why not, as a number", func(b *metrics.Boot) string { return number(int(b.Code)) }},
		{"code_name", "and as a name", func(b *metrics.Boot) string { return b.Code.Name() }},
		{"substatus", "of the assignment", func(b *metrics.Boot) string { return b.Substatus }},
		{"sdk_result", "what Microsoft's C SDK calls it", func(b *metrics.Boot) string { return string(b.Result) }},
		{"error", "what the device was told", func(b *metrics.Boot) string { return b.Error }},
		{"met", "whether an expectation was met", func(b *metrics.Boot) string { return strconv.FormatBool(b.Met) }},
		{"expected", "which, or all where none was", func(b *metrics.Boot) string { return b.Expected }},
		{"unmet", "why none was", func(b *metrics.Boot) string { return b.Unmet }},
		{"polls", "how often it asked", func(b *metrics.Boot) string { return strconv.Itoa(b.Polls) }},
		{"retries", "how often it waited and tried again", func(b *metrics.Boot) string { return strconv.Itoa(b.Retries) }},
		{"total_ms", "from due to its end", func(b *metrics.Boot) string { return decimals(b.Took()) }},
		{"time_to_assigned_ms", "from due to assigned", func(b *metrics.Boot) string { return ifAny(b.TimeToAssigned()) }},
		{"time_to_online_ms", "from due to online with its twin", func(b *metrics.Boot) string { return ifAny(b.TimeToOnline()) }},
		{"lateness_ms", "from due to its start", func(b *metrics.Boot) string { return decimals(b.Lateness()) }},
	}
	for stage := device.Dialing; stage <= device.Waiting; stage++ {
		if stage != device.Online {
			columns = append(columns, Column{stage.String() + "_ms", "in that stage, all its times together", func(b *metrics.Boot) string { return inStage(b, stage) }})
		}
	}
	return append(columns,
		Column{"webhook_calls", "for this boot", func(b *metrics.Boot) string { return strconv.Itoa(len(b.Allocations)) }},
		Column{"webhook_status", "of the last of them", lastStatus},
	)
}

// CSV writes boots, a line each, as they come.
type CSV struct {
	out     *csv.Writer
	columns []Column
	cells   []string
}

// NewCSV writes the line of names. The errors of writing are Close's.
func NewCSV(w io.Writer) *CSV {
	c := &CSV{out: csv.NewWriter(w), columns: Columns()}
	c.cells = make([]string, len(c.columns))
	for i, column := range c.columns {
		c.cells[i] = column.Name
	}
	c.out.Write(c.cells)
	return c
}

// Boot writes one line.
func (c *CSV) Boot(b *metrics.Boot) {
	for i, column := range c.columns {
		c.cells[i] = cell(column.of(b))
	}
	c.out.Write(c.cells)
}

// Close writes out what is held back, and says what went wrong first.
func (c *CSV) Close() error {
	c.out.Flush()
	if err := c.out.Error(); err != nil {
		return fmt.Errorf("writing the CSV: %w", err)
	}
	return nil
}

// cell keeps a text from being a formula to the program that opens the file
// (OWASP, CSV Injection) and from having control characters.
func cell(text string) string {
	if text == "" {
		return text
	}
	formula := strings.IndexByte("=+-@\t\r", text[0]) >= 0
	if text = clean(text); formula {
		return "'" + text
	}
	return text
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func decimals(m metrics.Millis) string {
	text, _ := m.MarshalJSON() // it has no errors
	return string(text)
}

func ifAny(m metrics.Millis, ok bool) string {
	if !ok {
		return ""
	}
	return decimals(m)
}

func inStage(b *metrics.Boot, stage device.Stage) string {
	var sum metrics.Millis
	was := false
	for _, s := range b.Stages {
		if s.Stage == stage {
			sum += s.Took
			was = true
		}
	}
	return ifAny(sum, was)
}

func lastStatus(b *metrics.Boot) string {
	if len(b.Allocations) == 0 {
		return ""
	}
	return number(b.Allocations[len(b.Allocations)-1].Status)
}
