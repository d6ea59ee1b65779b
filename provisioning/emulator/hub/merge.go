package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"

	"dpsfleet/provisioning"
)

// member is one of an object, in the place and with the bytes that it came with:
// a map would lose both.
type member struct {
	key   string
	value json.RawMessage
}

var errNotObject = errors.New("it is not a JSON object")

// merge applies a patch to an object: objects merge, null deletes, anything else
// replaces. Members keep their places and their bytes; new ones go to the end.
func merge(object, patch []byte) (json.RawMessage, error) {
	have, err := members(object)
	if err != nil {
		return nil, err
	}
	changes, err := members(patch)
	if err != nil {
		return nil, err
	}
	for _, change := range changes {
		if have, err = apply(have, change); err != nil {
			return nil, err
		}
	}
	var o provisioning.Object
	o.Grow(len(object) + len(patch)) // no more than it takes: twins are kept
	for _, m := range have {
		o.Raw(m.key, m.value)
	}
	return o.Bytes(), nil
}

func apply(have []member, change member) ([]member, error) {
	at := len(have)
	for i := range have {
		if have[i].key == change.key {
			at = i
			break
		}
	}
	if string(change.value) == "null" {
		return append(have[:at], have[min(at+1, len(have)):]...), nil
	}
	var old json.RawMessage
	if at < len(have) {
		old = have[at].value
	}
	value, err := replacement(old, change.value)
	if err != nil {
		return nil, err
	}
	if at == len(have) {
		return append(have, member{change.key, value}), nil
	}
	have[at].value = value
	return have, nil
}

// replacement is the new value of one member. An object merges even into
// nothing, so that the nulls in it are dropped.
func replacement(old, value json.RawMessage) (json.RawMessage, error) {
	if !isObject(value) {
		return value, nil
	}
	if !isObject(old) {
		old = json.RawMessage("{}")
	}
	return merge(old, value)
}

func isObject(value []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(value), []byte("{")) }

// members takes an object apart. What it returns lies in the object.
func members(object []byte) ([]member, error) {
	if !json.Valid(object) {
		return nil, errNotObject
	}
	var all []member
	ok := provisioning.EachMember(object, func(name, value []byte) bool {
		key, ok := unescaped(name)
		all = append(all, member{key, value})
		return ok
	})
	if !ok {
		return nil, errNotObject
	}
	return all, nil
}

// unescaped is a name as encoding/json reads it.
func unescaped(name []byte) (key string, ok bool) {
	if bytes.IndexByte(name, '\\') < 0 && utf8.Valid(name) {
		return string(name), true
	}
	err := json.Unmarshal(slices.Concat([]byte{'"'}, name, []byte{'"'}), &key)
	return key, err == nil
}
