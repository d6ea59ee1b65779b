package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A scenario is somebody else's file.
const (
	maxFile  = 4 << 20 // bytes
	maxNodes = 500_000 // after aliases were followed
	maxDepth = 64
)

// document is a YAML file as JSON, with where each value stood.
type document struct {
	file  string
	json  []byte
	at    map[string]position // of values, by JSON pointer
	keyAt map[string]position // of the names before them
}

type position struct{ line, column int }

// mistake makes a Mistake at a JSON pointer, or at the nearest place above it.
func (d *document) mistake(pointer, text string) Mistake {
	return d.mistakeIn(d.at, pointer, text)
}

// mistakeAtKey is for a name that should not be there.
func (d *document) mistakeAtKey(pointer, text string) Mistake {
	return d.mistakeIn(d.keyAt, pointer, text)
}

func (d *document) mistakeIn(table map[string]position, pointer, text string) Mistake {
	m := Mistake{File: d.file, Path: dotted(pointer), Text: text}
	for at := pointer; ; at = at[:strings.LastIndexByte(at, '/')] {
		if p, ok := table[at]; ok {
			m.Line, m.Column = p.line, p.column
			return m
		}
		if at == "" {
			return m
		}
		table = d.at
	}
}

// dotted is a JSON pointer as people write it: fleets.toasters.expect[0].hub.
func dotted(pointer string) string {
	var out strings.Builder
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		name = unescapePointer.Replace(name)
		if _, err := strconv.Atoi(name); err == nil && out.Len() > 0 {
			out.WriteString("[" + name + "]")
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		out.WriteString(name)
	}
	return out.String()
}

var (
	escapePointer   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")
	yamlLine        = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)
)

// readYAML turns one YAML document into JSON, names in the order of the file.
func readYAML(file string, data []byte) (*document, error) {
	if len(data) > maxFile {
		return nil, Mistakes{{File: file, Text: fmt.Sprintf("the file has %d bytes; a scenario has at most %d", len(data), maxFile)}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		return nil, Mistakes{yamlMistake(file, data, err)}
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, Mistakes{{File: file, Line: second.Line, Column: second.Column, Text: "a second document begins here; a scenario is one"}}
	}
	c := &converter{document: document{file: file, at: map[string]position{}, keyAt: map[string]position{}}}
	c.value(root.Content[0], "", 0)
	if len(c.mistakes) > 0 {
		return nil, c.mistakes.sorted()
	}
	c.json = c.out.Bytes()
	return &c.document, nil
}

// yamlMistake reads the line out of the library's error, which has no column, and
// which of bytes that are no text has neither.
func yamlMistake(file string, data []byte, err error) Mistake {
	if errors.Is(err, io.EOF) {
		return Mistake{File: file, Text: "the file is empty; `dpsfleet scenarios show contoso-mixed` prints one to start from"}
	}
	found := yamlLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0])
	if found == nil {
		return Mistake{File: file, Text: "this is not YAML"}
	}
	if at, what := noText(data); what != "" {
		before := data[:at]
		column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
		return Mistake{File: file, Line: bytes.Count(before, []byte("\n")) + 1, Column: column, Text: "this is not YAML: " + what}
	}
	line, _ := strconv.Atoi(found[1])
	m := Mistake{File: file, Line: line, Text: "this is not YAML: " + found[2]}
	if line > 0 {
		m.Column = 1
		if tab := tabIndent(data, line); tab > 0 {
			m.Column, m.Text = tab, "this is not YAML: a tab indents the line, where only spaces may"
		}
	}
	return m
}

// noText finds the first byte that no text in UTF-8 has, and says what is wrong with
// it. UTF-16, by its mark, is text as well.
func noText(data []byte) (at int, what string) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return 0, ""
	}
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at, fmt.Sprintf("the byte 0x%02x is no UTF-8; save the file as that", data[at])
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f:
			return at, fmt.Sprintf("a control character, 0x%02x, stands here", data[at])
		}
		at += size
	}
	return 0, ""
}

// tabIndent is the column of a tab in the indentation of a line; 0 is none.
func tabIndent(data []byte, line int) int {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	indented := bytes.TrimLeft(data, " ")
	if !bytes.HasPrefix(indented, []byte("\t")) {
		return 0
	}
	return len(data) - len(indented) + 1
}

type converter struct {
	document
	out      bytes.Buffer
	nodes    int
	mistakes Mistakes
}

func (c *converter) fail(n *yaml.Node, pointer, text string) {
	if len(c.mistakes) < 100 {
		c.mistakes = append(c.mistakes, Mistake{File: c.file, Line: n.Line, Column: n.Column, Path: dotted(pointer), Text: text})
	}
	c.out.WriteString("null")
}

func (c *converter) value(n *yaml.Node, pointer string, depth int) {
	c.nodes++
	if c.nodes > maxNodes || depth > maxDepth {
		if c.nodes == maxNodes+1 || depth > maxDepth {
			c.fail(n, pointer, "the file grows too large when its aliases are followed, or is nested too deep")
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	c.at[pointer] = position{n.Line, n.Column}
	switch n.Kind {
	case yaml.MappingNode:
		c.mapping(n, pointer, depth)
	case yaml.SequenceNode:
		c.sequence(n, pointer, depth)
	case yaml.ScalarNode:
		c.scalar(n, pointer)
	}
}

func (c *converter) mapping(n *yaml.Node, pointer string, depth int) {
	c.out.WriteByte('{')
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if i > 0 {
			c.out.WriteByte(',')
		}
		at := pointer + "/" + escapePointer.Replace(key.Value)
		c.text(key.Value)
		c.out.WriteByte(':')
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			c.fail(key, pointer, "a name must be plain text; merge keys are not taken")
			continue
		case seen[key.Value]:
			c.fail(key, at, "this name stands here twice")
			continue
		}
		seen[key.Value] = true
		c.keyAt[at] = position{key.Line, key.Column}
		c.value(value, at, depth+1)
	}
	c.out.WriteByte('}')
}

func (c *converter) sequence(n *yaml.Node, pointer string, depth int) {
	c.out.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			c.out.WriteByte(',')
		}
		c.value(item, pointer+"/"+strconv.Itoa(i), depth+1)
	}
	c.out.WriteByte(']')
}

func (c *converter) scalar(n *yaml.Node, pointer string) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		c.text(n.Value)
	case "!!null":
		c.out.WriteString("null")
	case "!!bool", "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			c.out.WriteString(n.Value)
			return
		}
		var v any
		if n.Decode(&v) != nil {
			c.fail(n, pointer, "this value is not understood; put it in quotes")
			return
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			c.fail(n, pointer, "this number has no place in JSON; put it in quotes")
			return
		}
		c.out.Write(encoded)
	default:
		c.fail(n, pointer, "tags like "+n.Tag+" are not taken")
	}
}

func (c *converter) text(s string) {
	encoder := json.NewEncoder(&c.out)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s) // a string always encodes
	c.out.Truncate(c.out.Len() - 1)
}
