package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"dpsfleet/provisioning"
)

// Limits of IoT Hub ("IoT Hub quotas and throttling", "Understand and use device
// twins").
const (
	maxMessage    = 256 << 10 // a device-to-cloud message
	maxProperties = 32 << 10  // desired and reported, each
	maxTags       = 8 << 10
	maxKey        = 1 << 10
	maxString     = 4 << 10
	maxDepth      = 10
	maxInteger    = 4503599627370495
)

// check says what a hub does not take of a twin document, or of a patch to one.
func check(text []byte, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("it has %d bytes; a hub takes %d", len(text), limit)
	}
	if !isObject(text) || !json.Valid(text) {
		return errNotObject
	}
	return checkValue(bytes.TrimSpace(text), 0)
}

// checkValue checks valid JSON. The depth of its calls is bounded by maxDepth.
func checkValue(value []byte, depth int) error {
	switch value[0] {
	case '{', '[':
		return checkNested(value, depth)
	case '"':
		if text, _ := unescaped(value[1 : len(value)-1]); len(text) > maxString {
			return fmt.Errorf("it has a string of %d bytes; a hub takes %d", len(text), maxString)
		}
	case 't', 'f', 'n':
	default:
		return checkNumber(string(value))
	}
	return nil
}

func checkNested(value []byte, depth int) (err error) {
	if depth > maxDepth {
		return fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	if value[0] == '[' {
		provisioning.EachElement(value, func(value []byte) bool {
			err = checkValue(value, depth+1)
			return err == nil
		})
		return err
	}
	provisioning.EachMember(value, func(name, value []byte) bool {
		if err = checkKey(name); err == nil {
			err = checkValue(value, depth+1)
		}
		return err == nil
	})
	return err
}

func checkKey(name []byte) error {
	key, _ := unescaped(name)
	if len(key) > maxKey {
		return fmt.Errorf("it has a key of %d bytes; a hub takes %d", len(key), maxKey)
	}
	if strings.ContainsAny(key, ".$ ") || strings.ContainsFunc(key, unicode.IsControl) {
		return errors.New("it has a key with a control character, a full stop, a $ or a space in it")
	}
	return nil
}

func checkNumber(number string) error {
	whole, err := strconv.ParseInt(number, 10, 64)
	tooLong := errors.Is(err, strconv.ErrRange)
	if tooLong || err == nil && math.Abs(float64(whole)) > maxInteger {
		return fmt.Errorf("it has a whole number beyond %d", int64(maxInteger))
	}
	return nil
}
