package scenarios

import (
	"fmt"

	"dpsfleet/device"
)

// SetupError stops a run whose first boots all ended on one mistake in the
// set-up. The report and the log of what was booted are whole all the same.
type SetupError struct {
	Cause device.Cause
	Why   string // as the first device heard it
}

// Error says what is wrong, and what to do.
func (e *SetupError) Error() string {
	return fmt.Sprintf("%s: %s", e.advice(), e.Why)
}

func (e *SetupError) advice() string {
	switch e.Cause {
	case device.CauseDialRefused:
		return "nobody answers there; start a DPS with `dpsfleet emulate`, or check --endpoint and --gateway"
	case device.CauseUntrusted:
		return "the server's certificate is not trusted; name its root with --ca FILE (`dpsfleet emulate --ca-out FILE` writes one), or --server-name where the certificate has another name"
	case device.CauseNoWebSocket:
		return "nothing there speaks MQTT over WebSocket; check the port, which is not that of MQTT (`dpsfleet emulate --https ADDR` serves one)"
	case device.CauseIDScope:
		return "DPS does not talk to these devices, as it does when it does not know the id scope; check --id-scope"
	case device.CauseConnackRefused:
		return "the server refused the devices' user name; check --id-scope and the registration ids"
	case device.CauseCertificate:
		return "DPS refused the devices' certificate; check that the enrollment has it, or the authority that signed it, and that its common name is the registration id"
	case device.CauseWebhookAway:
		return "nobody answers at the webhook's URL; start it (`dpsfleet webhook` serves one), or check host and port"
	case device.CauseFunctionKey:
		return "the webhook refused the function key; give the one it has by --function-key-file or DPSFLEET_FUNCTION_KEY"
	case device.CauseUnauthorized:
		return "DPS refused the devices' key; check that --group-key-file holds a key of the enrollment group"
	}
	return "the set-up is wrong"
}
