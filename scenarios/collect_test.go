package scenarios_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/scenarios"
)

// A limit below what is live would have the collector run all the time.
func TestCollectLessLeavesRoomForWhatIsLive(t *testing.T) {
	const live = 640 << 20
	synctest.Test(t, func(t *testing.T) {
		before, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
		restore := scenarios.CollectLess(1 << 20)
		if at := debug.SetMemoryLimit(-1); at >= live {
			t.Errorf("with nothing live the limit is %d", at)
		}
		held := make([]byte, live) // nobody writes there, so that it is no memory
		runtime.GC()
		time.Sleep(1500 * time.Millisecond)
		if at := debug.SetMemoryLimit(-1); at < live*5/4 {
			t.Errorf("with %d live the limit is %d", live, at)
		}
		runtime.KeepAlive(held)
		restore()
		if at := debug.SetMemoryLimit(-1); at != before {
			t.Errorf("the limit was %d and is %d now", before, at)
		}
		if at := debug.SetGCPercent(percent); at != 100 {
			t.Errorf("the percentage was 100 and is %d now", at)
		}
	})
}

func TestMemoryIsThatOfTheDevicesHereAtOnce(t *testing.T) {
	s := scenarios.Scenario{Cloud: new(scenarios.Cloud), Fleets: []scenarios.Fleet{{Count: 100_000}}}
	all := s.Memory(scenarios.Env{Network: scenarios.NetworkMemory})
	if all > 2<<30 {
		t.Errorf("100,000 devices in memory take %d bytes", all)
	}
	if half := s.Memory(scenarios.Env{Network: scenarios.NetworkMemory, Shards: 2}); 2*half != all {
		t.Errorf("half of them take %d of %d bytes", half, all)
	}
	if secure := s.Memory(scenarios.Env{Network: scenarios.NetworkTLS}); secure <= all {
		t.Errorf("with TLS they take %d bytes, without %d", secure, all)
	}
}
