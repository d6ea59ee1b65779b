package device

import (
	"math/rand/v2"
	"time"
)

// Backoff is how a device paces what it tries again. The zero value is
// [OwnBackoff].
type Backoff struct {
	// First is the first pause; each one after it is twice as long, up to Last.
	First, Last time.Duration
	// Spread is the part of a pause that chance adds or takes; Jitter is the most
	// that chance adds to it.
	Spread float64
	Jitter time.Duration
	// RetryAfter is what becomes of the server's word.
	RetryAfter Hearing
}

// Hearing is what a device makes of a server's retry-after.
type Hearing uint8

// What it can make of it.
const (
	HeardExactly Hearing = iota // the pause is what the server said
	HeardAsFloor                // the pause is not shorter, and has its jitter on top
	NotHeard
)

// OwnBackoff is dpsfleet's: 1 s, doubled up to 60 s, give or take a quarter, so
// that devices that failed together do not come back together. The server's word
// is kept to the moment.
func OwnBackoff() Backoff {
	return Backoff{First: time.Second, Last: time.Minute, Spread: 0.25}
}

// AzureBackoff is what Microsoft suggests to who has not modelled the network:
// 1 s, doubled up to 100 s, with a jitter of up to 5 s (azure-sdk-for-c,
// mqtt_state_machine.md, "Retry Timing").
func AzureBackoff() Backoff {
	return Backoff{First: time.Second, Last: 100 * time.Second, Jitter: 5 * time.Second, RetryAfter: HeardAsFloor}
}

// StormBackoff is what Microsoft suggests where many devices come at once: pauses
// and jitter of up to 1/load times as long as all devices take at the rate that
// the service lets in (DPS, best practices for large-scale deployments, "Retry
// operations").
func StormBackoff(devices int, perSecond, load float64) Backoff {
	all := float64(devices) / perSecond
	longest := max(time.Second, time.Duration(all/load*float64(time.Second)))
	return Backoff{First: time.Second, Last: longest, Jitter: longest, RetryAfter: HeardAsFloor}
}

// NaiveBackoff tries again every second, whatever the server says.
func NaiveBackoff() Backoff {
	return Backoff{First: time.Second, Last: time.Second, RetryAfter: NotHeard}
}

// pause is how long to wait after so many pauses in a row. Nil is a server that
// said nothing of that.
func (b Backoff) pause(earlier int, retryAfter *time.Duration, chance *rand.Rand) time.Duration {
	if b.First == 0 {
		b = OwnBackoff()
	}
	if retryAfter != nil && b.RetryAfter == HeardExactly {
		return *retryAfter
	}
	pause := b.Last
	if doubled := b.First << min(earlier, 30); doubled > 0 && doubled < b.Last {
		pause = doubled
	}
	if retryAfter != nil && b.RetryAfter == HeardAsFloor {
		pause = max(pause, *retryAfter)
	}
	if b.Spread > 0 {
		pause = time.Duration(float64(pause) * (1 + b.Spread*(2*chance.Float64()-1)))
	}
	if b.Jitter > 0 {
		pause += time.Duration(chance.Float64() * float64(b.Jitter))
	}
	return pause
}
