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
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return checkValue(dec, 0)
}

// checkValue checks the next value of dec. The depth of its calls is bounded by
// maxDepth.
func checkValue(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return errNotObject
	}
	switch token := token.(type) {
	case json.Delim:
		return checkNested(dec, token, depth)
	case string:
		if len(token) > maxString {
			return fmt.Errorf("it has a string of %d bytes; a hub takes %d", len(token), maxString)
		}
	case json.Number:
		return checkNumber(token)
	}
	return nil
}

func checkNested(dec *json.Decoder, open json.Delim, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	for dec.More() {
		if open == '{' {
			if err := checkKey(dec); err != nil {
				return err
			}
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func checkKey(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return errNotObject
	}
	key, _ := token.(string)
	if len(key) > maxKey {
		return fmt.Errorf("it has a key of %d bytes; a hub takes %d", len(key), maxKey)
	}
	if strings.ContainsAny(key, ".$ ") || strings.ContainsFunc(key, unicode.IsControl) {
		return errors.New("it has a key with a control character, a full stop, a $ or a space in it")
	}
	return nil
}

func checkNumber(n json.Number) error {
	whole, err := strconv.ParseInt(n.String(), 10, 64)
	tooLong := errors.Is(err, strconv.ErrRange)
	if tooLong || err == nil && math.Abs(float64(whole)) > maxInteger {
		return fmt.Errorf("it has a whole number beyond %d", int64(maxInteger))
	}
	return nil
}
