package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"dpsfleet/provisioning/emulator"
)

// latency is how long a fault holds something back: a span, from which each device
// has a length of its own, or a distribution of them over the devices. The
// distribution is log-normal, which is the shape that services have: of two of its
// quantiles the first is the median.
type latency struct {
	span          emulator.Span
	median, sigma float64 // of a distribution, in seconds; 0 for a span
}

// parseLatency reads 2s, 1s..5s, or p50 200ms p99 3s.
func parseLatency(text string) (latency, error) {
	if strings.HasPrefix(text, "p") {
		return parseQuantiles(text)
	}
	span, err := emulator.ParseSpan(text)
	if err != nil || span.Max == 0 || span.Max > longestWait {
		return latency{}, fmt.Errorf("%.40q is no latency, as 2s, 1s..5s and p50 200ms p99 3s are", text)
	}
	return latency{span: span}, nil
}

// longestWait bounds what a distribution has at its far end, and what one writes.
const longestWait = time.Hour

func parseQuantiles(text string) (latency, error) {
	words := strings.Fields(text)
	if len(words) != 4 || words[0] != "p50" || !strings.HasPrefix(words[2], "p") {
		return latency{}, fmt.Errorf("%.40q is no distribution; p50 200ms p99 3s is", text)
	}
	quantile, err := strconv.ParseFloat(words[2][1:], 64)
	if err != nil || !(quantile > 50 && quantile < 100) {
		return latency{}, fmt.Errorf("%.40q is no quantile above p50, as p99 is", words[2])
	}
	median, err := time.ParseDuration(words[1])
	high, err2 := time.ParseDuration(words[3])
	if err != nil || err2 != nil || median <= 0 || high < median || high > longestWait {
		return latency{}, fmt.Errorf("%.40q does not rise from one duration to another, as p50 200ms p99 3s does", text)
	}
	normal := math.Sqrt2 * math.Erfinv(2*quantile/100-1)
	return latency{median: median.Seconds(), sigma: math.Log(high.Seconds()/median.Seconds()) / normal}, nil
}

// of is a device's: always the same, whatever it asks for.
func (l latency) of(seed uint64, registrationID string) time.Duration {
	draws := drawFor(seed, registrationID, "latency")
	if l.median == 0 {
		return l.span.Min + time.Duration(draws.Float64()*float64(l.span.Max-l.span.Min))
	}
	seconds := l.median * math.Exp(l.sigma*draws.NormFloat64())
	return time.Duration(min(seconds, longestWait.Seconds()) * float64(time.Second))
}
