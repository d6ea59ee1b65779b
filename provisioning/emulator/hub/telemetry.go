package hub

import (
	"errors"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
)

// checkWill says what a hub does not take of a will: its topic is telemetry's
// (hub over MQTT). A hub hangs up on what it does not take.
func checkWill(will *mqtt.Message, deviceID string) error {
	if will == nil {
		return nil
	}
	request, err := provisioning.ParseHubRequest(will.Topic, deviceID)
	if err != nil || request.Op != provisioning.Telemetry {
		return errors.New("the topic of the will is not the one of the device's telemetry")
	}
	return nil
}

// publishWill makes telemetry of a will, after a connection that ended without a
// DISCONNECT [MQTT-3.1.2-8]. The hub tells it by a property (hub over MQTT).
func (s *session) publishWill(will mqtt.Message) {
	request, err := provisioning.ParseHubRequest(will.Topic, s.device.ID)
	if err != nil {
		return
	}
	s.telemetry(provisioning.AddProperty(request.Properties, "iothub-MessageType", "Will"), will)
}

// telemetry takes a message of the device. A retained one is not retained: the
// hub says so in a property and lets it through (hub over MQTT).
func (s *session) telemetry(properties string, m mqtt.Message) {
	s.hub.totals.telemetry.Add(1)
	if m.Retain {
		properties = provisioning.AddProperty(properties, "mqtt-retain", "true")
	}
	s.observe(provisioning.Exchange{
		Kind: provisioning.ExchangeTelemetry, At: time.Now(), Status: 200,
		Asked: m.Payload, Properties: properties,
	})
}

// observe adds who and where.
func (s *session) observe(x provisioning.Exchange) {
	x.RegistrationID, x.Hub = s.device.RegistrationID, s.hub.name
	s.hub.opt.Observe(x)
}
