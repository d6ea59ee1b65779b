package provisioning

import (
	"encoding/json"
	"time"
)

// Exchange is one call that the cloud or a webhook served, as the cloud saw it.
// It is sent before its answer leaves, so whoever has heard an answer can rely
// on the exchange being recorded.
type Exchange struct {
	Kind           ExchangeKind
	RegistrationID string
	OperationID    string
	At             time.Time // when the call came or was made
	Took           time.Duration

	// Status is the answer's, as in HTTP; 0 where there was none, and then Err
	// says why.
	Status int
	Err    string

	// State is the device's registration after the call, with its payload. Nil
	// where the call had none to show.
	State *RegistrationState
	// Tags are the twin's at the hub, after an allocation that ended in a hub;
	// a device never sees them.
	Tags json.RawMessage

	// Asked and Answered are the bodies of a webhook call, the answer's cut at
	// the limit of what is read, or of a direct method call. A message and a
	// patch are in Asked.
	Asked, Answered []byte
	// Attempt counts the webhook calls for one registration, from 1.
	Attempt int
	// Hub is what the webhook answered, or the hub that a device joined.
	Hub string
	// Method is the name of a direct method.
	Method string
	// Properties are a message's, encoded as in its topic.
	Properties string
}

// ExchangeKind says what was served.
type ExchangeKind string

// What the cloud serves. Only Verdict and Told carry a final State.
const (
	ExchangeRegister ExchangeKind = "register" // a device's registration
	ExchangeAllocate ExchangeKind = "allocate" // one call of the webhook
	ExchangeVerdict  ExchangeKind = "verdict"  // DPS has made up its mind on a device
	ExchangeTold     ExchangeKind = "told"     // a poll that told the device so
	ExchangePoll     ExchangeKind = "poll"     // a poll that did not
	ExchangeLookUp   ExchangeKind = "lookup"   // a look-up of a registration, which only HTTPS has
	ExchangeJoin     ExchangeKind = "join"     // a device's CONNECT at its hub
	ExchangeTwin     ExchangeKind = "twin"     // a device's GET of its twin
)

// What a hub serves beside, as often as devices and back ends like. Config.Record
// of the emulator is not told of these, what keeps the last exchanges is.
const (
	ExchangeTelemetry ExchangeKind = "telemetry" // a device's message, or its will
	ExchangeReported  ExchangeKind = "reported"  // a device's patch of its reported properties
	ExchangeMethod    ExchangeKind = "method"    // a direct method, called and answered
	ExchangeMessage   ExchangeKind = "message"   // a message to a device, as it goes out
)
