package hub

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// Limits of cloud-to-device messages: size and number are in "IoT Hub quotas and
// throttling", life and deliveries are the defaults of "Send cloud-to-device
// messages".
const (
	maxDevicebound    = 64 << 10
	maxPending        = 50 // of one device
	maxDeliveries     = 10 // of one message; then it is given up
	defaultTimeToLive = time.Hour
	longestTimeToLive = 48 * time.Hour
)

// maxUnacknowledged is how many messages are on their way to a device at once.
// The service has such a window, and no document gives it.
const maxUnacknowledged = 16

// Message is one from a back end to a device.
type Message struct {
	Properties []provisioning.Property
	Body       []byte
	TimeToLive time.Duration // an hour if 0
}

func (m Message) check(deviceID string) error {
	size := len(provisioning.DeviceboundTopic(deviceID, m.Properties)) + len(m.Body)
	switch {
	case size > maxDevicebound:
		return tooLarge("the message", size, maxDevicebound)
	case m.TimeToLive < 0 || m.TimeToLive > longestTimeToLive:
		return invalid(fmt.Sprintf("the time to live %s is not from 0 to %s", m.TimeToLive, longestTimeToLive))
	}
	return nil
}

// SendMessage queues a message for a device, which gets it as soon as it is
// connected and has subscribed.
func (h *Hub) SendMessage(deviceID string, m Message) error {
	if _, known := h.devices.Get(deviceID); !known {
		return notFound(deviceID)
	}
	if err := m.check(deviceID); err != nil {
		return err
	}
	now := time.Now()
	p := pending{
		topic:  provisioning.DeviceboundTopic(deviceID, m.Properties),
		body:   slices.Clone(m.Body),
		expiry: now.Add(cmp.Or(m.TimeToLive, defaultTimeToLive)),
	}
	if !h.box(deviceID).add(p, now) {
		return queueFull()
	}
	if s, online := h.sessions.Get(deviceID); online && s.wantsMessages.Load() {
		s.conn.Wake()
	}
	return nil
}

// Pending is how many messages wait for a device or for its PUBACK.
func (h *Hub) Pending(deviceID string) int {
	box, any := h.boxes.Get(deviceID)
	if !any {
		return 0
	}
	return box.size(time.Now())
}

// deliver writes what waits for the device. Only the session's own goroutine
// does; SendMessage wakes it.
func (s *session) deliver() error {
	if !s.wantsMessages.Load() {
		return nil
	}
	for {
		m, any := s.box.next(s, time.Now())
		if !any {
			return nil
		}
		s.observe(provisioning.Exchange{
			Kind: provisioning.ExchangeMessage, At: time.Now(), Status: 200,
			Properties: m.Topic[len(provisioning.DeviceboundFilter(s.device.ID))-1:], Asked: m.Payload,
		})
		if err := s.conn.Write(m); err != nil {
			return err
		}
	}
}

// pending is a message that waits for its device.
type pending struct {
	device     string
	number     uint64 // grows from one message of a device to its next
	topic      string
	body       []byte
	expiry     time.Time
	id         uint16 // of its packet, from the first time on that it went out
	out        bool   // on its way in this connection
	again      bool   // the device may have it already
	deliveries int
}

// row is its name among those of all devices.
func (p pending) row() string { return fmt.Sprintf("%s %d", p.device, p.number) }

// message is the packet in which it goes out.
func (p pending) message(qos byte) mqtt.Message {
	return mqtt.Message{Topic: p.topic, Payload: p.body, QoS: qos, ID: p.id, Dup: p.again && qos > 0}
}
