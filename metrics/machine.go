package metrics

import "time"

// Machine is what a run took of the machine that it ran on.
type Machine struct {
	CPUs int `json:"cpus"` // that the program may use
	// CPU is how many of them it used on average, and BusiestCPU in its busiest
	// second; 0 where the system does not tell. GC is which part of that was the
	// garbage collector's.
	CPU        float64 `json:"cpu"`
	BusiestCPU float64 `json:"busiestCPU"`
	GC         float64 `json:"gc"`
	// The highest that was seen, looking once a second.
	Heap       int64 `json:"heap"`
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"files,omitempty"`
	// Stalls are times in which nothing ran.
	Stalls []Stall `json:"stalls,omitempty"`
}

// Stall is a time in which nothing of the program ran: the machine slept, the
// process was stopped, or the clock was set.
type Stall struct {
	At   Millis `json:"at"` // since the run's start
	Took Millis `json:"ms"`
}

// Watch makes a Machine of vitals. Take them every so often, as Every says.
type Watch struct {
	Every time.Duration
	CPUs  int

	first, last Vitals
	machine     Machine
}

const (
	// worstStall is how much later than it should a look may come: a busy machine is
	// late by less.
	worstStall = 3 * time.Second
	// maxStalls bounds what is kept of a machine that stops again and again.
	maxStalls = 20
)

// Take adds the next vitals; the first are those of the run's start.
func (w *Watch) Take(v Vitals) {
	if w.first.At.IsZero() {
		w.first, w.last = v, v
	}
	m := &w.machine
	m.Heap, m.Goroutines, m.Files = max(m.Heap, v.Heap), max(m.Goroutines, v.Goroutines), max(m.Files, v.Files)
	m.BusiestCPU = max(m.BusiestCPU, busy(w.last, v))
	// Some systems' monotonic clock stands still while the machine sleeps, and the
	// wall's does not.
	gap := max(v.At.Sub(w.last.At), v.At.Round(0).Sub(w.last.At.Round(0)))
	ran := v.CPU-w.last.CPU > gap/20 // late for want of CPU, which shows as lateness
	if gap > w.Every+worstStall && !ran && len(m.Stalls) < maxStalls {
		m.Stalls = append(m.Stalls, Stall{At: millis(w.last.At.Sub(w.first.At)), Took: millis(gap)})
	}
	w.last = v
}

// busy is how many CPUs were used between two looks. One that came too soon after
// the other says little.
func busy(from, to Vitals) float64 {
	wall := to.At.Sub(from.At)
	if wall < 100*time.Millisecond {
		return 0
	}
	return float64(to.CPU-from.CPU) / float64(wall)
}

// Machine is what has been seen so far.
func (w *Watch) Machine() Machine {
	m := w.machine
	m.CPUs, m.CPU = w.CPUs, busy(w.first, w.last)
	m.BusiestCPU = max(m.BusiestCPU, m.CPU)
	if used := w.last.CPU - w.first.CPU; used > 0 {
		m.GC = min(1, float64(w.last.GC-w.first.GC)/float64(used))
	}
	return m
}

// merge takes the worst of two machines.
func (m *Machine) merge(other Machine) {
	m.CPUs = max(m.CPUs, other.CPUs)
	m.CPU, m.BusiestCPU, m.GC = max(m.CPU, other.CPU), max(m.BusiestCPU, other.BusiestCPU), max(m.GC, other.GC)
	m.Heap, m.Goroutines, m.Files = max(m.Heap, other.Heap), max(m.Goroutines, other.Goroutines), max(m.Files, other.Files)
	m.Stalls = append(m.Stalls, other.Stalls...)
}
