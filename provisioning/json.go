package provisioning

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Object writes one JSON object member by member. It is here because JSON that
// passes through, a device's payload or a webhook's twin, must stay as it came
// to the byte, and json.Marshal rewrites the RawMessages that it is given.
//
// What it writes itself is ASCII: Node's SDK decodes answers as ASCII.
type Object struct {
	buf   []byte
	start int // of the object, in that which it is a member of
}

// Grow makes room for n bytes, where that is not the usual length.
func (o *Object) Grow(n int) { o.buf = slices.Grow(o.buf, n) }

// Text adds a string.
func (o *Object) Text(key, value string) { o.key(key); o.buf = appendQuoted(o.buf, value) }

// TextIf adds a string that is not empty.
func (o *Object) TextIf(key, value string) {
	if value != "" {
		o.Text(key, value)
	}
}

// Int adds a whole number.
func (o *Object) Int(key string, value int64) {
	o.key(key)
	o.buf = strconv.AppendInt(o.buf, value, 10)
}

// Raw adds JSON as it is, unless there is none.
func (o *Object) Raw(key string, value []byte) {
	if len(value) > 0 {
		o.key(key)
		o.buf = append(o.buf, value...)
	}
}

// Bytes is the object.
func (o *Object) Bytes() []byte {
	if len(o.buf) == o.start {
		return append(o.buf, "{}"...)
	}
	return append(o.buf, '}')
}

// open begins a member that is an object, and close ends it.
func (o *Object) open(key string) Object {
	o.key(key)
	return Object{buf: o.buf, start: len(o.buf)}
}

func (o *Object) close(member Object) { o.buf = member.Bytes() }

func (o *Object) key(key string) {
	sep := byte(',')
	if len(o.buf) == o.start {
		sep = '{'
	}
	if o.buf == nil {
		o.buf = make([]byte, 0, 512)
	}
	o.buf = append(o.buf, sep)
	o.buf = appendQuoted(o.buf, key)
	o.buf = append(o.buf, ':')
}

func appendQuoted(buf []byte, text string) []byte {
	buf = append(buf, '"')
	if isPlain(text) { // nearly always
		return append(append(buf, text...), '"')
	}
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case ' ' <= r && r < utf8.RuneSelf && r != 0x7f:
			buf = append(buf, byte(r))
		default:
			buf = appendEscaped(buf, r)
		}
	}
	return append(buf, '"')
}

func isPlain(text string) bool {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

func appendEscaped(buf []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendEscaped(appendEscaped(buf, high), low)
	}
	return append(buf, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// ASCII is JSON text with every character beyond ASCII escaped, and nothing else
// changed. Such characters stand only inside of JSON's strings, so the meaning
// stays.
func ASCII(text []byte) []byte {
	if isASCII(text) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
			continue
		}
		out = appendEscaped(out, r)
	}
	return out
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Marshal is json.Marshal without its HTML escapes, which no other JSON writer
// in Azure makes.
func Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
