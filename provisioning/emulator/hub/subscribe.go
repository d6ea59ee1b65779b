package hub

import (
	"fmt"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// grant is a subscription: 0 is none, or else it is the granted QoS and 1.
type grant byte

func (g grant) qos() byte { return byte(max(g, 1) - 1) }

// subscriptions are a device's. Four filters there are, so the limit of five
// subscriptions cannot be reached.
type subscriptions struct{ answers, desired, methods, messages grant }

// of is the subscription to a filter, nil for one that a hub does not have.
func (w *subscriptions) of(filter, deviceID string) *grant {
	switch filter {
	case provisioning.TwinAnswerFilter:
		return &w.answers
	case provisioning.DesiredFilter:
		return &w.desired
	case provisioning.MethodFilter:
		return &w.methods
	case provisioning.DeviceboundFilter(deviceID):
		return &w.messages
	}
	return nil
}

// subscribe grants what a device may subscribe to. QoS 2 is granted as 1 (hub
// over MQTT).
func (s *session) subscribe(packet mqtt.Packet) error {
	granted := make([]byte, 0, len(packet.Filters))
	for _, filter := range packet.Filters {
		at := s.wants.of(filter.Topic, s.device.ID)
		if at == nil {
			return notAFilter(filter.Topic)
		}
		granted = append(granted, min(filter.QoS, 1))
		*at = 1 + grant(min(filter.QoS, 1))
	}
	s.apply() // first, so that it holds for whoever has read the SUBACK
	if err := s.conn.Suback(packet.ID, granted); err != nil {
		return err
	}
	return s.deliver()
}

func (s *session) unsubscribe(packet mqtt.Packet) error {
	for _, filter := range packet.Filters {
		at := s.wants.of(filter.Topic, s.device.ID)
		if at == nil {
			return notAFilter(filter.Topic)
		}
		*at = 0
	}
	s.apply()
	return s.conn.Unsuback(packet.ID)
}

func notAFilter(filter string) error {
	return fmt.Errorf("%q is not a filter that a device may subscribe to at a hub", filter)
}

// apply makes the subscriptions known to those who send, and keeps them for the
// next connection if the device asked for that with clean session 0.
func (s *session) apply() {
	s.wantsDesired.Store(s.wants.desired > 0)
	s.wantsMessages.Store(s.wants.messages > 0)
	if s.keeps {
		s.hub.kept.Put(s.device.ID, s.wants)
	}
	if s.box == nil && s.wants.methods == 0 && s.wants.messages == 0 {
		return // most devices need no mailbox
	}
	if s.box == nil {
		s.box = s.hub.box(s.device.ID)
		s.box.hold(s, s.resumed)
	}
	s.box.take(s, s.wants.methods > 0)
}

// resume gives a connection the session that the hub kept of the device, if it
// is to have one and there is any (MQTT 3.1.1 section 3.1.2.4).
func (s *session) resume(clean bool) {
	s.keeps = !clean
	if clean {
		s.hub.kept.Delete(s.device.ID)
		return
	}
	s.wants, s.resumed = s.hub.kept.Get(s.device.ID)
	if !s.resumed {
		s.hub.kept.Put(s.device.ID, s.wants)
	}
}
