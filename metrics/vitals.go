package metrics

import (
	"os"
	"runtime/metrics"
	"time"
)

// Vitals are how this program is doing at one moment.
type Vitals struct {
	At time.Time
	// CPU is the time that it has used, GC what of it the garbage collector has, as
	// of its last cycle.
	CPU, GC    time.Duration
	Heap       int64 // bytes of objects
	Goroutines int
	Files      int // open; -1 where the system does not tell
}

// vital are what the runtime is asked for, in the order of their use below.
func vital() []metrics.Sample {
	return []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
}

// ReadVitals looks. It takes some microseconds and stops nothing.
func ReadVitals() Vitals {
	samples := vital()
	metrics.Read(samples)
	v := Vitals{At: time.Now(), CPU: cpuTime(), Files: openFiles()}
	// A kind that is none is what this version of Go does not measure.
	if samples[0].Value.Kind() == metrics.KindUint64 {
		v.Heap = int64(samples[0].Value.Uint64())
	}
	if samples[1].Value.Kind() == metrics.KindUint64 {
		v.Goroutines = int(samples[1].Value.Uint64())
	}
	if samples[2].Value.Kind() == metrics.KindFloat64 {
		v.GC = time.Duration(samples[2].Value.Float64() * float64(time.Second))
	}
	return v
}

// openFiles asks Linux, which since 6.2 tells the number as the size of the folder;
// to read it took milliseconds where a run has 20,000 of them.
func openFiles() int {
	info, err := os.Stat("/proc/self/fd")
	if err != nil || info.Size() == 0 {
		return -1
	}
	return int(info.Size())
}
