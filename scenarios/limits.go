package scenarios

// TLS is how devices speak it.
type TLS struct {
	// Min and Max bound the versions; left out, 1.2 and 1.3.
	Min TLSVersion `json:"min,omitempty" jsonschema:"enum=1.2,enum=1.3"`
	Max TLSVersion `json:"max,omitempty" jsonschema:"enum=1.2,enum=1.3"`
	// Resume lets a device take up the session of an earlier connection, also in
	// its next boot, instead of a handshake in full; false. The report has tls_resumed
	// and join_resumed beside tls and join.
	Resume bool `json:"resume,omitempty"`
}

// Limits hold a run in bounds; what is left out has a default.
type Limits struct {
	// InFlight is how many boots may run at once; one more is dropped. Left
	// out, there is no limit.
	InFlight int `json:"inFlight,omitempty" jsonschema:"minimum=1,maximum=10000000"`
	// Boot is how long a boot may take; 10m.
	Boot Duration `json:"boot,omitempty"`
	// Dial, TLS and Answer are for a TCP connection, a handshake and any one
	// answer; 10s, 10s and 30s.
	Dial   Duration `json:"dial,omitempty"`
	TLS    Duration `json:"tls,omitempty"`
	Answer Duration `json:"answer,omitempty"`
	// Attempts is how often in a row a server may refuse to talk before a boot
	// gives up; 4.
	Attempts int `json:"attempts,omitempty" jsonschema:"minimum=1,maximum=1000000"`
	// Token is the life of a SAS token; 1h. A device that stays online renews it when
	// nine tenths are over.
	Token Duration `json:"token,omitempty"`
	// Reprovision is how long a device that knows its hub, and cannot reach it,
	// tries before it asks DPS for another; 15m. While it boots, the time of Boot may
	// be over before; one that was online has all of it.
	Reprovision Duration `json:"reprovision,omitempty"`
	// Backoff is how devices pace what they try again whose fleet does not say;
	// own. Load is the factor of azure-storm, 1: at 2 its pauses are half as long.
	Backoff Backoff `json:"backoff,omitempty" jsonschema:"enum=own,enum=azure-default,enum=azure-storm,enum=naive"`
	Load    float64 `json:"load,omitempty" jsonschema:"minimum=0"`
}
