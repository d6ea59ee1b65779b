package scenarios

import "time"

// LatencyOf is how long a fault holds a device back.
func LatencyOf(do FaultAction, seed uint64, registrationID string) time.Duration {
	return do.wait.of(seed, registrationID)
}
