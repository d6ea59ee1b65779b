//go:build unix

package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/fleet"
	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

// BenchmarkHeld is what a device takes of this machine's memory that has booted,
// is online at its hub and has nothing to say: heap and stacks after a
// collection, and goroutines. The cloud is another process's. Run one at a time, as
// make bench does: a second would have the first one's goroutines for nothing, as Go
// keeps what it knows of one that has ended.
func BenchmarkHeld(b *testing.B) {
	for _, w := range []way{{Name: "tls13", Network: scenarios.NetworkTLS, Version: 0x0304}, {Name: "plain", Network: scenarios.NetworkTCP}} {
		for _, n := range []int{1000, 5000, 9000} {
			b.Run(fmt.Sprint(w.Name, "/", n), func(b *testing.B) {
				cloud := cloudProcess(b, w)
				target := w.target(cloud.place)
				target.Gateway, target.Declared = cloud.Address, func(string) bool { return true }
				devices := newBooter(target)
				for b.Loop() {
					bytes, goroutines, err := devices.hold(n)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(bytes, "B/device")
					b.ReportMetric(goroutines, "goroutines/device")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// hold boots n devices, bootAtOnce at a time, keeps them all online, and measures.
func (t *booter) hold(n int) (bytes, goroutines float64, err error) {
	if err := t.boots(bootAtOnce); err != nil { // what is made once, is
		return 0, 0, err
	}
	before, routines := inUse(), runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	var held sync.WaitGroup
	err = repeat(n, func() error {
		d, online := t.next(), make(chan bool, 1)
		d.Until = device.UntilOnline
		held.Go(func() {
			d.Run(ctx, &t.target, time.Now(), func(e device.Event) {
				if e.To == device.Online || e.To == device.Failed {
					online <- e.To == device.Online
				}
			})
		})
		if !<-online {
			return errors.New("a device did not come online")
		}
		return nil
	})
	bytes, goroutines = float64(inUse()-before)/float64(n), float64(runtime.NumGoroutine()-routines)/float64(n)
	cancel()
	held.Wait()
	return bytes, goroutines, err
}

// BenchmarkMemory is a whole run in one process of its own, cloud included, over
// memnet: how long until all devices are online, what the process takes at its
// peak, and how what one boot costs grows with the fleet. They arrive at a steady
// rate, and the heap is the program's (scenarios.CollectLess). A figure is the median
// of the runs'.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var runs []inMemoryFigures
			for b.Loop() {
				var got inMemoryFigures
				startProcess(b, "memory", n, &got)
				runs = append(runs, got)
			}
			report := func(unit string, of func(inMemoryFigures) float64) {
				b.ReportMetric(medianOf(len(runs), func(i int) float64 { return of(runs[i]) }), unit)
			}
			report("s-until-online", func(f inMemoryFigures) float64 { return f.Took.Seconds() })
			report("MiB-peak", func(f inMemoryFigures) float64 { return float64(f.Peak) / (1 << 20) })
			report("µs-CPU/boot", func(f inMemoryFigures) float64 { return float64(f.Used.CPU.Microseconds()) / float64(n) })
			report("B-allocated/boot", func(f inMemoryFigures) float64 { return float64(f.Used.Allocated) / float64(n) })
			report("B/device+cloud", func(f inMemoryFigures) float64 { return float64(f.Held) / float64(n) })
			report("goroutines/device+cloud", func(f inMemoryFigures) float64 { return float64(f.Goroutines) / float64(n) })
			b.ReportMetric(0, "ns/op")
		})
	}
}

// inMemoryFigures are of one run.
type inMemoryFigures struct {
	Took       time.Duration // until all were online
	Peak       int64         // of the process, with what comes after
	Used       usage
	Held       int64
	Goroutines int
}

// holdInMemory boots so many devices and holds them online until it has measured.
func holdInMemory() {
	var n int
	readAsked(&n)
	s := (&booter{}).scenario(n)
	s.Fleets[0].Until = device.UntilOnline
	steady, err := fleet.ParseShape("constant 4000/s")
	if err != nil {
		fail(err)
	}
	s.Fleets[0].Arrive = scenarios.Stages{steady}
	env := scenarios.Env{Network: scenarios.NetworkMemory, Version: "bench"}
	defer scenarios.CollectLess(s.Memory(env))()
	before, began := usedHere(), time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	var figures inMemoryFigures
	var once sync.Once
	env.Progress = func(p metrics.Progress) {
		if p.Stages[device.Online] < n {
			return
		}
		once.Do(func() {
			figures.Took, figures.Used = time.Since(began), usedHere().since(before)
			figures.Goroutines, figures.Held = runtime.NumGoroutine(), inUse()
			figures.Peak = peakMemory()
			cancel()
		})
	}
	if _, err := scenarios.Run(ctx, s, env); err != nil {
		fail(err)
	}
	say(figures)
	sayUsage()
}
