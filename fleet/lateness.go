package fleet

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Lateness sums up how late boots started. P50 and P99 are up to 1 % above the
// truth and never below it; Max is exact.
type Lateness struct {
	P50, P99, Max time.Duration
}

// histogram counts durations in buckets that are 1/128 of their octave wide. It
// is of one size however many boots there are, and boots share no lock in it.
type histogram struct {
	counts [octaves << fineBits]atomic.Int64
	max    atomic.Int64
}

const (
	fineBits = 7
	octaves  = 64 - fineBits
)

// add counts d. What started before it was due, by a clock's whim, was not late.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))].Add(1)
	for {
		seen := h.max.Load()
		if int64(d) <= seen || h.max.CompareAndSwap(seen, int64(d)) {
			return
		}
	}
}

// bucket keeps n's highest bits and how many were cut off: small n are counted
// exactly.
func bucket(n uint64) int {
	cut := max(0, bits.Len64(n)-fineBits-1)
	return cut<<fineBits + int(n>>cut)
}

// upper is the largest number in the bucket.
func upper(bucket int) time.Duration {
	cut := max(0, bucket>>fineBits-1)
	return time.Duration((uint64(bucket-cut<<fineBits)+1)<<cut - 1)
}

func (h *histogram) summary() Lateness {
	total := int64(0)
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	longest := time.Duration(h.max.Load())
	return Lateness{
		P50: min(h.quantile(total, 50), longest),
		P99: min(h.quantile(total, 99), longest),
		Max: longest,
	}
}

// quantile is the duration that percent of all do not exceed (nearest rank).
func (h *histogram) quantile(total, percent int64) time.Duration {
	rank := (total*percent + 99) / 100
	for i := range h.counts {
		rank -= h.counts[i].Load()
		if rank <= 0 {
			return upper(i)
		}
	}
	return 0
}
