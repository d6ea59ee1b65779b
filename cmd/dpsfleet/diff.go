package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning/allocation"
)

func (p *program) diffCommand() *cobra.Command {
	var opts allocation.DiffOptions
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Say what another version of the webhook changes for which device",
		Long: `Diff compares two recordings of a webhook (run --record, stress --record) by
registration id: which devices would move, from which hub to which, whose initial
twin or payload changes, and which now fail or no longer do. A device's last call
decides, and JSON is compared by what it says.

Exit codes: 0 nothing differs, or nothing but moves that --allow-moved allows;
3 something differs; 1 could not compare; 2 wrong usage.`,
		Example: `  dpsfleet stress --replay before.ndjson http://localhost:7071/api/HttpTrigger1 --record after.ndjson
  dpsfleet diff before.ndjson after.ndjson
  dpsfleet diff before.ndjson after.ndjson --allow-moved '*-new-toasters-*'`,
		Args: wants("the first recording", "the second recording"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				opts.Examples = -1
			}
			if err := opts.Check(); err != nil {
				return usage(cmd, "--allow-moved: %w", err)
			}
			d, err := allocation.Diff(cmd.Context(), args[0], args[1], opts)
			if err != nil {
				return err
			}
			return p.tellDifference(d, args, asJSON, all)
		},
	}
	cmd.Flags().StringArrayVar(&opts.AllowMoved, "allow-moved", nil, "`GLOB` on hubs that devices may move to; may be given again")
	cmd.Flags().BoolVar(&all, "all", false, "list every device that differs, not 20 of each kind")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the difference as JSON")
	return cmd
}

func (p *program) tellDifference(d allocation.Difference, files []string, asJSON, all bool) error {
	if asJSON {
		out := json.NewEncoder(p.stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		if err := out.Encode(d); err != nil {
			return fmt.Errorf("printing the difference: %w", err)
		}
	} else {
		printDifference(p.stdout, d, files, all)
	}
	if d.Differing > 0 {
		return verdictError(exitUnmet)
	}
	return nil
}

func printDifference(w io.Writer, d allocation.Difference, files []string, all bool) {
	fmt.Fprintf(w, "%-7s %s  %d devices\n", "before", plain(files[0]), d.Devices[0])
	fmt.Fprintf(w, "%-7s %s  %d devices\n", "after", plain(files[1]), d.Devices[1])
	fmt.Fprintf(w, "%7d the same\n", d.Same)
	for _, kind := range allocation.ChangeKinds() {
		if n := d.Counts[kind]; n > 0 {
			fmt.Fprintf(w, "%7d %s\n", n, headings()[kind])
		}
		if kind == allocation.Moves {
			printMoves(w, d.Moves, all)
		}
	}
	told := 0 // of a kind
	for i, c := range d.Changes {
		if i == 0 || d.Changes[i-1].Kind != c.Kind {
			fmt.Fprintf(w, "\n%s\n", headings()[c.Kind])
		}
		printChange(w, c)
		told++
		if i+1 < len(d.Changes) && d.Changes[i+1].Kind == c.Kind {
			continue
		}
		if more := d.Counts[c.Kind] - told; more > 0 {
			fmt.Fprintf(w, "  and %d more\n", more)
		}
		told = 0
	}
	for _, note := range d.Notes {
		fmt.Fprintf(w, "note: %s\n", plain(note))
	}
}

// headings say what a kind of change is, after a number and alone.
func headings() map[allocation.ChangeKind]string {
	return map[allocation.ChangeKind]string{
		allocation.NowFails:       "now fail",
		allocation.NoLongerFails:  "no longer fail",
		allocation.FailsOtherwise: "fail in another way",
		allocation.Moves:          "move to another hub",
		allocation.TwinChanges:    "get another initial twin",
		allocation.PayloadChanges: "get another payload",
		allocation.OnlyInFirst:    "only before",
		allocation.OnlyInSecond:   "only after",
	}
}

func printMoves(w io.Writer, moves []allocation.Move, all bool) {
	const most = 20
	for i, m := range moves {
		if i == most && !all {
			fmt.Fprintf(w, "        and %d pairs of hubs more\n", len(moves)-most)
			return
		}
		allowed := ""
		if m.Allowed {
			allowed = "  (allowed)"
		}
		fmt.Fprintf(w, "%15d %s -> %s%s\n", m.Count, plain(m.From), plain(m.To), allowed)
	}
}

func printChange(w io.Writer, c allocation.Change) {
	switch {
	case len(c.Values) > 0:
		fmt.Fprintf(w, "  %s\n", plain(c.RegistrationID))
		for _, v := range c.Values {
			fmt.Fprintf(w, "    %s: %s -> %s\n", plain(v.Path), orNothing(v.From), orNothing(v.To))
		}
		if c.More > 0 {
			fmt.Fprintf(w, "    and %d members more\n", c.More)
		}
	case c.From == "":
		fmt.Fprintf(w, "  %s: %s\n", plain(c.RegistrationID), plain(c.To))
	case c.To == "":
		fmt.Fprintf(w, "  %s: %s\n", plain(c.RegistrationID), plain(c.From))
	default:
		fmt.Fprintf(w, "  %s: %s -> %s\n", plain(c.RegistrationID), plain(c.From), plain(c.To))
	}
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return plain(text)
}

// plain is text from the wire on one line, without what could steer a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}
