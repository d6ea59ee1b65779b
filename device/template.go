package device

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// A template is somebody else's text, so it is held in bounds from the start:
// no loop, no definition, no variable, only the functions below, each of which
// returns a bounded text. What is left takes a number of steps that its length
// bounds.
const (
	maxTemplate = 4 << 10 // bytes of one template
	maxWidth    = 64      // of pad and hex
)

// scope is what a template sees: a device, and a source of chance that is the
// device's own, so that one seed makes one fleet.
type scope struct {
	N     int    // the device's number in its fleet
	Boot  int    // counts from 1
	ID    string // registration id; empty while that itself is made
	Fleet string

	rand    *rand.Rand
	desired func(key string) (string, bool)
}

// text is a compiled template.
type text struct {
	tmpl *template.Template
	// steps do what the template would, where it has nothing but text and fields, as
	// most registration ids do; nil otherwise.
	steps []step
	// number marks a template whose value is written without quotes.
	number bool
}

func compileText(source string) (*text, error) {
	if len(source) > maxTemplate {
		return nil, fmt.Errorf("the template has %d bytes; at most %d are taken", len(source), maxTemplate)
	}
	tmpl, err := template.New("").Option("missingkey=error").Funcs(templateFuncs()).Parse(source)
	if err != nil {
		return nil, templateError(source, err)
	}
	if tmpl.Tree == nil || len(tmpl.Templates()) > 1 {
		return nil, fmt.Errorf("template %q: define and block are not taken", source)
	}
	if err := bind(tmpl.Root); err != nil {
		return nil, fmt.Errorf("template %q: %w", source, err)
	}
	return &text{tmpl: tmpl, steps: stepsOf(tmpl.Root), number: endsInNumber(tmpl.Root)}, nil
}

// step appends a part of a template.
type step func(out []byte, s *scope) []byte

func stepsOf(root *parse.ListNode) []step {
	var steps []step
	for _, node := range root.Nodes {
		s := stepOf(node)
		if s == nil {
			return nil
		}
		steps = append(steps, s)
	}
	return steps
}

// stepOf is nil for a node that is left to text/template.
func stepOf(node parse.Node) step {
	if plain, ok := node.(*parse.TextNode); ok {
		return func(out []byte, _ *scope) []byte { return append(out, plain.Text...) }
	}
	switch node.String() {
	case "{{.N}}":
		return func(out []byte, s *scope) []byte { return strconv.AppendInt(out, int64(s.N), 10) }
	case "{{.Boot}}":
		return func(out []byte, s *scope) []byte { return strconv.AppendInt(out, int64(s.Boot), 10) }
	case "{{.ID}}":
		return func(out []byte, s *scope) []byte { return append(out, s.ID...) }
	case "{{.Fleet}}":
		return func(out []byte, s *scope) []byte { return append(out, s.Fleet...) }
	}
	return nil
}

func (t *text) render(s *scope) (string, error) {
	if t.steps != nil {
		var out []byte
		for _, step := range t.steps {
			out = step(out, s)
		}
		return string(out), nil
	}
	var out strings.Builder
	if err := t.tmpl.Execute(&out, s); err != nil {
		return "", templateError(t.tmpl.Root.String(), err)
	}
	return out.String(), nil
}

// templateError takes the library's own prefix off, which names a template that
// has no name.
func templateError(source string, err error) error {
	reason := strings.TrimPrefix(err.Error(), "template: ")
	if _, after, ok := strings.Cut(reason, ": "); ok {
		reason = after
	}
	return fmt.Errorf("template %q: %s", source, reason)
}

// templateFuncs are all the functions there are; text/template's own printf and
// friends are refused by bind, for they can be asked for a gigabyte.
func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"pick": pick, "between": between, "uniform": uniform, "around": around, "hex": hex, "desired": desired,
		"choose": choose, "pad": pad, "number": number, "add": func(a, b int) int { return a + b },
		"lower": strings.ToLower, "upper": strings.ToUpper,
	}
}

// chance reports whether a function takes the scope as its first argument. bind
// writes it into the call, so that one compiled template serves all devices at
// once and a scenario still says {{pick "1.0" "1.1"}}.
func chance(name string) bool {
	switch name {
	case "pick", "between", "uniform", "around", "hex", "desired":
		return true
	}
	return false
}

func allowed(name string) bool {
	switch name {
	case "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not":
		return true
	}
	return templateFuncs()[name] != nil
}

// bind walks a parsed template, refuses what is not in bounds and hands the
// scope to the functions that need it.
func bind(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := bindNode(node); err != nil {
			return err
		}
	}
	return nil
}

func bindNode(node parse.Node) error {
	switch n := node.(type) {
	case *parse.TextNode, *parse.CommentNode:
		return nil
	case *parse.ActionNode:
		return bindPipe(n.Pipe)
	case *parse.IfNode:
		if err := bindPipe(n.Pipe); err != nil {
			return err
		}
		if err := bind(n.List); err != nil {
			return err
		}
		return bind(n.ElseList)
	}
	return fmt.Errorf("%s is not taken; text, {{value}} and {{if}} are", node)
}

func bindPipe(pipe *parse.PipeNode) error {
	if len(pipe.Decl) > 0 {
		return fmt.Errorf("variables are not taken: %s", pipe)
	}
	for _, cmd := range pipe.Cmds {
		if err := bindCommand(cmd); err != nil {
			return err
		}
	}
	return nil
}

func bindCommand(cmd *parse.CommandNode) error {
	for i := 0; i < len(cmd.Args); i++ {
		switch arg := cmd.Args[i].(type) {
		case *parse.PipeNode:
			if err := bindPipe(arg); err != nil {
				return err
			}
		case *parse.IdentifierNode:
			if !allowed(arg.Ident) {
				return fmt.Errorf("the function %s is not taken", arg.Ident)
			}
			if !chance(arg.Ident) {
				continue
			}
			if i > 0 {
				return fmt.Errorf("put (%s ...) in brackets", arg.Ident)
			}
			root := &parse.VariableNode{NodeType: parse.NodeVariable, Ident: []string{"$"}}
			cmd.Args = append([]parse.Node{arg, root}, cmd.Args[1:]...)
			i++
		}
	}
	return nil
}

// endsInNumber reports whether a template is one {{... | number}} and nothing
// else.
func endsInNumber(root *parse.ListNode) bool {
	if len(root.Nodes) != 1 {
		return false
	}
	action, ok := root.Nodes[0].(*parse.ActionNode)
	if !ok {
		return false
	}
	last := action.Pipe.Cmds[len(action.Pipe.Cmds)-1]
	name, ok := last.Args[0].(*parse.IdentifierNode)
	return ok && name.Ident == "number"
}

func pick(s *scope, values ...any) (any, error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("pick needs something to pick from")
	}
	return values[s.rand.IntN(len(values))], nil
}

func between(s *scope, low, high int) (int, error) {
	if high < low || high-low == math.MaxInt {
		return 0, fmt.Errorf("between %d and %d there is nothing", low, high)
	}
	return low + s.rand.IntN(high-low+1), nil
}

func uniform(s *scope, low, high float64) string {
	return oneDecimal(low + s.rand.Float64()*(high-low))
}

// around is value, give or take spread.
func around(s *scope, spread float64, value any) (string, error) {
	middle, err := strconv.ParseFloat(fmt.Sprint(value), 64)
	if err != nil {
		return "", fmt.Errorf("around needs a number, not %q", fmt.Sprint(value))
	}
	return oneDecimal(middle + (2*s.rand.Float64()-1)*spread), nil
}

func oneDecimal(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func hex(s *scope, width int) (string, error) {
	if width < 1 || width > maxWidth {
		return "", fmt.Errorf("hex makes 1 to %d digits, not %d", maxWidth, width)
	}
	digits := make([]byte, width)
	for i := range digits {
		digits[i] = "0123456789abcdef"[s.rand.IntN(16)]
	}
	return string(digits), nil
}

// desired is the desired property that the device has now, or the other value
// while it has none.
func desired(s *scope, key string, other any) string {
	if s.desired != nil {
		if value, ok := s.desired(key); ok {
			return value
		}
	}
	return fmt.Sprint(other)
}

// choose is the value beside the case that matches, or the last one, which
// stands alone: choose x "light" 160 "dark" 220 190.
func choose(value any, cases ...any) (any, error) {
	if len(cases)%2 == 0 {
		return nil, fmt.Errorf("choose needs pairs of case and value, and one more value for any other case")
	}
	for i := 0; i+1 < len(cases); i += 2 {
		if fmt.Sprint(cases[i]) == fmt.Sprint(value) {
			return cases[i+1], nil
		}
	}
	return cases[len(cases)-1], nil
}

// pad writes a number with leading zeros: {{pad 3 .N}}.
func pad(width, n int) (string, error) {
	if width < 1 || width > maxWidth {
		return "", fmt.Errorf("pad makes 1 to %d digits, not %d", maxWidth, width)
	}
	return fmt.Sprintf("%0*d", width, n), nil
}

// number marks a value that is written into JSON without quotes.
func number(value any) (string, error) {
	digits := fmt.Sprint(value)
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return "", fmt.Errorf("%q is not a number", digits)
	}
	return strconv.FormatFloat(v, 'f', -1, 64), nil
}
