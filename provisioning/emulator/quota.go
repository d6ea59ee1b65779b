package emulator

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// Quotas says how many times their real size the limits of DPS and of the hubs
// are: 1 is as Microsoft has them, 0.1 a tenth, and 0 is no limit at all.
type Quotas float64

// The two that have a name.
const (
	NoQuotas   Quotas = 0
	RealQuotas Quotas = 1
)

// ParseQuotas reads none, real, or a factor such as 10x and 0.1x.
func ParseQuotas(text string) (Quotas, error) {
	switch text {
	case "none":
		return NoQuotas, nil
	case "real":
		return RealQuotas, nil
	}
	factor, isFactor := strings.CutSuffix(text, "x")
	q, err := strconv.ParseFloat(factor, 64)
	if !isFactor || err != nil || !(q > 0 && q <= 1e6) {
		return 0, fmt.Errorf("%.40q is neither none nor real nor a factor like 10x and 0.1x", text)
	}
	return Quotas(q), nil
}

// String is the quotas as ParseQuotas reads them.
func (q Quotas) String() string {
	switch q {
	case NoQuotas:
		return "none"
	case RealQuotas:
		return "real"
	}
	return strconv.FormatFloat(float64(q), 'f', -1, 64) + "x"
}

// MarshalText and UnmarshalText are String and ParseQuotas.
func (q Quotas) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

func (q *Quotas) UnmarshalText(text []byte) (err error) {
	*q, err = ParseQuotas(string(text))
	return err
}

// The limits of an instance of DPS ("Azure IoT Hub Device Provisioning Service
// limits"). Registrations and polls have limits of their own (azure-iot-sdk-c
// pull request 1703). The one of polls is a device's own and not adjustable, so
// it does not grow with Quotas.
func (c *Cloud) registrationLimit() limit { return c.scaled(limit{n: 1000, per: time.Minute}) }

func (c *Cloud) pollLimit() limit {
	return limit{n: 5, per: 10 * time.Second, bucket: c.cfg.Undocumented.QuotaMeter == meterBucket}
}

// scaled is a limit as Quotas have it.
func (c *Cloud) scaled(l limit) limit {
	l.n = max(1, int(math.Round(float64(l.n)*float64(c.cfg.Quotas))))
	l.bucket = c.cfg.Undocumented.QuotaMeter == meterBucket
	return l
}

// prepareQuotas makes the gates of the instance and of its hubs.
func (c *Cloud) prepareQuotas() {
	if c.cfg.Quotas == NoQuotas {
		return
	}
	c.admission = &gate{limit: c.registrationLimit()}
	c.hubGates = make(map[string]*hubGates, len(c.cfg.LinkedHubs))
	for _, name := range c.cfg.LinkedHubs {
		settings := c.cfg.hub(name)
		c.hubGates[strings.ToLower(name)] = &hubGates{
			connections: gate{limit: c.scaled(settings.connectionLimit())},
			registry:    gate{limit: c.scaled(settings.registryLimit())},
		}
	}
}

// throttled is the one place where a registration, or a look-up of one, which
// counts the same (re-provisioning concepts), is held against the quota; nil
// lets it in. Whoever has no good credentials is refused before and uses up
// nothing.
func (c *Cloud) throttled() *provisioning.Error {
	if c.admission == nil {
		return nil
	}
	wait, admitted := c.admission.admit(time.Now(), 0)
	if admitted {
		return nil
	}
	return c.tooMany(wait)
}

// throttledPoll is the same for a poll of a device that is known.
func (c *Cloud) throttledPoll(key string) *provisioning.Error {
	if c.admission == nil {
		return nil
	}
	var wait time.Duration
	admitted := true
	c.registrations.Update(key, func(r registration, known bool) (registration, bool) {
		if known {
			wait, admitted = r.polls.admit(c.pollLimit(), time.Now(), 0)
		}
		return r, known
	})
	if admitted {
		return nil
	}
	return c.tooMany(wait)
}

// tooMany is the refusal that Azure's embedded SDK has in its tests. Its
// retry-after may be missing in the service's.
func (c *Cloud) tooMany(wait time.Duration) *provisioning.Error {
	c.totals.throttled.Add(1)
	refused := problem(429, provisioning.Throttled, "Operations are being throttled for this tenant.")
	if c.cfg.Undocumented.ThrottleWithoutRetryAfter {
		return refused
	}
	if fixed := c.cfg.Undocumented.ThrottleRetryAfter; fixed != (Span{}) {
		wait = fixed.Min
	}
	wait = wait.Truncate(time.Second) + roundUp(wait)
	refused.RetryAfter = &wait
	return refused
}

// roundUp is what is missing to the next whole second, which is all that a topic
// and a header can say.
func roundUp(d time.Duration) time.Duration {
	if d%time.Second == 0 {
		return 0
	}
	return time.Second
}
