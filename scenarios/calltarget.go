package scenarios

// Requests are what a webhook that is called directly is asked. What is left out
// is none: all are first registrations of a group's devices with a key.
type Requests struct {
	// Individual are the devices that have an enrollment of their own.
	Individual Portion `json:"individual,omitempty"`
	// Repeated are the devices that were assigned before: their requests name
	// the hub, one of the target's, and the device id.
	Repeated Portion `json:"repeated,omitempty"`
	// X509 are the devices that attest by certificate, which is in the request.
	X509 Portion `json:"x509,omitempty"`
}

// HTTP is how a webhook is called directly. What DPS does is documented nowhere:
// neither its headers, nor its version of HTTP, nor how long it waits.
type HTTP struct {
	// Timeout is for one call; 30s.
	Timeout Duration `json:"timeout,omitempty"`
	// HTTP2 speaks HTTP/2, without TLS too, instead of HTTP/1.1.
	HTTP2 bool `json:"http2,omitempty"`
	// KeepAlive false makes a connection for each call.
	KeepAlive *bool `json:"keepAlive,omitempty"`
	// Connections is how many there are at most; calls wait for one. Left out,
	// there is no limit.
	Connections int `json:"connections,omitempty" jsonschema:"minimum=1,maximum=1000000"`
	// Headers go with every call.
	Headers map[string]string `json:"headers,omitempty"`
}

// direct reports whether the scenario's target is a webhook alone.
func (s Scenario) direct() bool { return s.Target != nil && s.Target.Webhook != "" }
