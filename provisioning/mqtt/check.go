package mqtt

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// flagsFlaw judges the first byte of a packet, its kind and its flags.
func flagsFlaw(kind PacketKind, flags byte) (clause, what string) {
	switch kind {
	case PublishPacket:
		return publishFlaw(flags)
	case pubrecPacket, pubrelPacket, pubcompPacket:
		return "MQTT 4.3.3", "a packet of QoS 2, which is not served here"
	case SubscribePacket, UnsubscribePacket:
		if flags != subscribeFlags {
			return "MQTT-2.2.2-2", "a packet with the wrong reserved flags"
		}
		return "", ""
	case 0, 15:
		return "MQTT 2.2.1", "a packet of a reserved kind"
	}
	if flags != 0 {
		return "MQTT-2.2.2-2", "a packet with the wrong reserved flags"
	}
	return "", ""
}

func publishFlaw(flags byte) (clause, what string) {
	switch qos := qosOf(flags); {
	case qos == 3:
		return "MQTT-3.3.1-4", "a PUBLISH of QoS 3"
	case qos == 2:
		// The server that takes part in QoS 2 must remember each message
		// across connections; nothing that is simulated here does.
		return "MQTT 4.3.3", "a PUBLISH of QoS 2, which is not served here"
	case qos == 0 && flags&dupFlag != 0:
		return "MQTT-3.3.1-2", "a duplicate of QoS 0"
	}
	return "", ""
}

// textFlaw judges a UTF-8 string. Go's notion of valid UTF-8 is MQTT's: no
// surrogates, nothing longer than it must be.
func textFlaw(text string) (clause, what string) {
	if !utf8.ValidString(text) {
		return "MQTT-1.5.3-1", "a string that is not UTF-8"
	}
	if strings.IndexByte(text, 0) >= 0 {
		return "MQTT-1.5.3-2", "a string with a NUL"
	}
	return "", ""
}

func topicFlaw(topic string) (clause, what string) {
	if topic == "" {
		return "MQTT-4.7.3-1", "an empty topic"
	}
	if strings.ContainsAny(topic, "+#") {
		return "MQTT-3.3.2-2", "a topic with a wildcard"
	}
	return "", ""
}

func filterFlaw(filter string) (clause, what string) {
	if filter == "" {
		return "MQTT-4.7.3-1", "an empty topic filter"
	}
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		if strings.Contains(level, "#") && (level != "#" || more) {
			return "MQTT-4.7.1-2", "a topic filter with # before its end"
		}
		if strings.Contains(level, "+") && level != "+" {
			return "MQTT-4.7.1-3", "a topic filter with + in a part of a level"
		}
	}
	return "", ""
}

// own makes an error of a flaw in what we were asked to write. It is not a
// ProtocolError: the peer did nothing.
func own(clause, what string) error {
	if clause == "" {
		return nil
	}
	return fmt.Errorf("%s [%s]", what, clause)
}

// ownText is own for a string, of which MQTT can say no greater length.
func ownText(text string) error {
	if len(text) > math.MaxUint16 {
		return fmt.Errorf("a string of %d bytes, more than 65535", len(text))
	}
	return own(textFlaw(text))
}

// maxRemaining is the largest remaining length (MQTT 3.1.1 section 2.2.3).
const maxRemaining = 1<<28 - 1

// check finds what must not be written.
func (m Message) check() error {
	const lengthAndID = 4
	if m.QoS > 1 {
		return fmt.Errorf("QoS %d is not served here", m.QoS)
	}
	if len(m.Topic)+len(m.Payload)+lengthAndID > maxRemaining {
		return fmt.Errorf("a payload of %d bytes is more than MQTT carries", len(m.Payload))
	}
	return errors.Join(ownText(m.Topic), own(topicFlaw(m.Topic)))
}

func (h Connect) check() error {
	if h.KeepAlive < 0 || h.KeepAlive > math.MaxUint16*time.Second || h.KeepAlive%time.Second != 0 {
		return fmt.Errorf("the keep-alive %v is not a number of seconds up to 65535", h.KeepAlive)
	}
	if h.Will != nil {
		if err := h.Will.check(); err != nil {
			return fmt.Errorf("the will: %w", err)
		}
	}
	if len(h.Password) > math.MaxUint16 || h.Will != nil && len(h.Will.Payload) > math.MaxUint16 {
		return errors.New("a password or a will of more than 65535 bytes")
	}
	return errors.Join(ownText(h.ClientID), ownText(h.Username))
}

func checkFilters(qos byte, filters []string) error {
	if len(filters) == 0 || qos > 2 {
		return fmt.Errorf("%d filters at QoS %d", len(filters), qos)
	}
	for _, filter := range filters {
		if err := errors.Join(ownText(filter), own(filterFlaw(filter))); err != nil {
			return err
		}
	}
	return nil
}
