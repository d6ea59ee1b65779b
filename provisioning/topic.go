package provisioning

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AnswerFilter is the one subscription that DPS allows.
const AnswerFilter = "$dps/registrations/res/#"

const (
	registerTopic = "$dps/registrations/PUT/iotdps-register/?$rid="
	pollTopic     = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid="
	answerTopic   = "$dps/registrations/res/"
	operationIDIs = "&operationId="
	retryAfterIs  = "&retry-after="
)

// Request is the topic on which a device asks DPS.
type Request struct {
	// RequestID is $rid as it was written; the answer echoes it verbatim.
	RequestID string
	// OperationID is empty in a registration and set in a poll.
	OperationID string
	// Poll tells the two apart.
	Poll bool
}

// String is the topic.
func (r Request) String() string {
	if r.Poll {
		return pollTopic + r.RequestID + operationIDIs + r.OperationID
	}
	return registerTopic + r.RequestID
}

// ParseRequest reads the topic of a PUBLISH to DPS. Anything that DPS does not
// document is an error.
func ParseRequest(topic string) (Request, error) {
	if rid, ok := strings.CutPrefix(topic, registerTopic); ok {
		rid, _, _ = strings.Cut(rid, "&")
		if rid == "" {
			return Request{}, errors.New("the registration has an empty $rid")
		}
		return Request{RequestID: rid}, nil
	}
	query, ok := strings.CutPrefix(topic, pollTopic)
	if !ok {
		return Request{}, errors.New("not a topic of DPS")
	}
	rid, rest, _ := strings.Cut(query, "&")
	if rid == "" {
		return Request{}, errors.New("the poll has an empty $rid")
	}
	operationID, _ := strings.CutPrefix("&"+rest, operationIDIs)
	if operationID == "" || strings.Contains(operationID, "&") {
		return Request{}, errors.New("the poll has no operationId")
	}
	return Request{RequestID: rid, OperationID: operationID, Poll: true}, nil
}

// Answer is the topic on which DPS answers a device.
type Answer struct {
	Status    int // as in HTTP: 200, 202, 401, 429 ...
	RequestID string
	// RetryAfter is in whole seconds. Nil where the topic names none.
	RetryAfter *time.Duration
}

// String is the topic, always with $rid first and retry-after second: C#'s and
// Java's parsers depend on it.
func (a Answer) String() string {
	topic := answerTopic + strconv.Itoa(a.Status) + "/?$rid=" + a.RequestID
	if a.RetryAfter != nil {
		topic += retryAfterIs + strconv.Itoa(int(a.RetryAfter.Seconds()))
	}
	return topic
}

// maxRetryAfter is the largest retry-after that the C SDK takes; beyond it, or
// where it is not a number of seconds, it counts as absent.
const maxRetryAfter = 300

// ParseAnswer reads the topic of an answer from DPS.
func ParseAnswer(topic string) (Answer, error) {
	rest, ok := strings.CutPrefix(topic, answerTopic)
	if !ok {
		return Answer{}, errors.New("not an answer of DPS")
	}
	code, query, ok := strings.Cut(rest, "/?")
	status, err := strconv.Atoi(code)
	if !ok || err != nil || status < 100 || status > 599 {
		return Answer{}, errors.New("the answer's topic has no status")
	}
	answer := Answer{Status: status}
	for field := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(field, "=")
		switch strings.ToLower(key) {
		case "$rid":
			answer.RequestID = value
		case "retry-after":
			if seconds, err := strconv.Atoi(value); err == nil && 0 <= seconds && seconds <= maxRetryAfter {
				wait := time.Duration(seconds) * time.Second
				answer.RetryAfter = &wait
			}
		}
	}
	if answer.RequestID == "" {
		return Answer{}, fmt.Errorf("the answer's topic has no $rid")
	}
	return answer, nil
}
