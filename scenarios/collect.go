package scenarios

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// leastMemory is what a program may have however little it needs.
	leastMemory = 600 << 20
	// collectAt is the growth, in percent of what is live, at which the heap is collected
	// where there is room for it.
	collectAt = 400
)

// CollectLess trades memory that is there for CPU that a load generator lacks: with
// tens of thousands of goroutines most of a collection is their stacks. The heap grows
// up to what the run needs, as Scenario.Memory has it, and no further than that or a quarter
// more than is live, so that the collector never turns round and round.
//
// It is for a program that has one run at a time, and whose environment says neither
// GOGC nor GOMEMLIMIT. Restore puts back what was.
func CollectLess(memory int64) (restore func()) {
	memory = max(memory, leastMemory)
	percent := debug.SetGCPercent(collectAt)
	limit := debug.SetMemoryLimit(max(memory, roomy()))
	stop := everyLook(func() { debug.SetMemoryLimit(max(memory, roomy())) })
	return func() {
		stop()
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// roomy is a quarter more than was live after the last collection, stacks and what
// the runtime itself takes included, which are in the limit too.
func roomy() int64 {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	var bytes [6]int64
	for i, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 { // this version of Go does not measure it
			return 0
		}
		bytes[i] = int64(s.Value.Uint64())
	}
	live := bytes[0] + bytes[1] - bytes[2] - bytes[3] - bytes[4] - bytes[5]
	return live + live/4
}

// Memory is about what a run takes of this process's memory at its peak.
func (s Scenario) Memory(env Env) int64 {
	r := &run{Scenario: s, env: env}
	return int64(r.peak()) * int64(r.memoryEach())
}
