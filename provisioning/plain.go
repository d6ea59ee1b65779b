package provisioning

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// What DPS and its devices send is read here without reflection, which took a
// twentieth of a device's boot. It takes only what is plain: a member that is
// written otherwise than DPS writes it, a null, a name in another case, is left to
// encoding/json, and with it every error.

// plainRegistration is false for a body that is left to encoding/json.
func plainRegistration(body []byte) (r Registration, ok bool) {
	return r, EachMember(body, func(name, value []byte) bool {
		switch string(name) {
		case "registrationId":
			return plainText(&r.RegistrationID, value)
		case "payload":
			r.Payload = bytes.Clone(value)
			return json.Valid(value)
		}
		return false
	})
}

// plainOperation is false for a body that is left to encoding/json.
func plainOperation(body []byte) (op Operation, ok bool) {
	return op, EachMember(body, func(name, value []byte) bool {
		switch string(name) {
		case "operationId":
			return plainText(&op.OperationID, value)
		case "status":
			return plainText(&op.Status, value)
		case "registrationState":
			if op.State != nil {
				return false
			}
			op.State = new(RegistrationState)
			return EachMember(value, op.State.setPlain)
		}
		return false
	})
}

func (s *RegistrationState) setPlain(name, value []byte) bool {
	switch string(name) {
	case "registrationId":
		return plainText(&s.RegistrationID, value)
	case "createdDateTimeUtc":
		return plainTime(&s.Created, value)
	case "assignedHub":
		return plainText(&s.AssignedHub, value)
	case "deviceId":
		return plainText(&s.DeviceID, value)
	case "status":
		return plainText(&s.Status, value)
	case "substatus":
		return plainText(&s.Substatus, value)
	case "errorCode":
		code, err := strconv.Atoi(string(value))
		s.ErrorCode = Code(code)
		return err == nil && json.Valid(value)
	case "errorMessage":
		return plainText(&s.ErrorMessage, value)
	case "lastUpdatedDateTimeUtc":
		return plainTime(&s.LastUpdated, value)
	case "etag":
		return plainText(&s.ETag, value)
	case "payload":
		s.Payload = bytes.Clone(value)
		return json.Valid(value)
	}
	return false
}

// plainText takes a string of ASCII without escapes.
func plainText[T ~string](to *T, value []byte) bool {
	last := len(value) - 1
	if last < 1 || value[0] != '"' || value[last] != '"' {
		return false
	}
	text := string(value[1:last])
	*to = T(text)
	return isPlain(text)
}

func plainTime(to *Timestamp, value []byte) bool {
	var text string
	return plainText(&text, value) && to.parse(text) == nil
}

// EachMember hands the members of an object to take until that says no, names
// without their quotes but as they are written. It reports whether text is an object
// all of whose members were taken. It sees to what is between names and values; what
// is in them, unless the text is known to be valid JSON, is take's to look at.
func EachMember(text []byte, take func(name, value []byte) bool) bool {
	rest := skipSpace(text)
	if !begins(rest, '{') {
		return false
	}
	rest = skipSpace(rest[1:])
	for more := !begins(rest, '}'); more; {
		if !begins(rest, '"') {
			return false
		}
		name := rest[:stringLength(rest)]
		rest = skipSpace(rest[len(name):])
		if !begins(rest, ':') {
			return false
		}
		rest = skipSpace(rest[1:])
		value := rest[:valueLength(rest)]
		if len(value) == 0 || !take(name[1:len(name)-1], value) {
			return false
		}
		rest = skipSpace(rest[len(value):])
		if more = begins(rest, ','); more {
			rest = skipSpace(rest[1:])
		}
	}
	return begins(rest, '}') && len(skipSpace(rest[1:])) == 0
}

func begins(text []byte, with byte) bool { return len(text) > 0 && text[0] == with }

// EachElement is EachMember for an array.
func EachElement(text []byte, take func(value []byte) bool) bool {
	rest := skipSpace(text)
	if rest[0] != '[' {
		return false
	}
	rest = skipSpace(rest[1:])
	for rest[0] != ']' {
		value := rest[:valueLength(rest)]
		if !take(value) {
			return false
		}
		rest = skipSpace(rest[len(value):])
		if rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
	}
	return true
}

func skipSpace(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\n' || text[0] == '\r' || text[0] == '\t') {
		text = text[1:]
	}
	return text
}

// valueLength is where the first value of a valid text ends.
func valueLength(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringLength(text[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 {
				return wordLength(text)
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// wordLength is of a number, true, false or null.
func wordLength(text []byte) int {
	if end := bytes.IndexAny(text, ",}] \t\r\n"); end >= 0 {
		return end
	}
	return len(text)
}
