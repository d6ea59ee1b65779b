package scenarios_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dpsfleet/scenarios"
)

// soakEnv makes TestMemoryStaysFlat last as long as it says, as in make soak.
const soakEnv = "DPSFLEET_SOAK"

// Nothing of a call stays when it has ended, however many there are.
func TestMemoryStaysFlat(t *testing.T) {
	length := 4 * time.Second
	if text := os.Getenv(soakEnv); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	const early = 500 // calls, by when all that is made once is there
	all := int(500 * length.Seconds())
	late := all * 9 / 10
	var served atomic.Int64
	sizes := make(map[int]uint64)
	var mu sync.Mutex
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := int(served.Add(1)); n == early || n == late {
			mu.Lock()
			sizes[n] = heap()
			mu.Unlock()
		}
		io.WriteString(w, toasterAnswer)
	}))
	defer webhook.Close()
	s := scenarios.Stress().Calling(scenarios.Target{Webhook: webhook.URL, Hubs: scenarios.TutorialHubs()})
	s.Limits.InFlight = 50 // whoever comes when this machine is busy is dropped, and no connection made for it
	s, err := s.Arriving(stages(t, "constant 500/s"), length)
	if err != nil {
		t.Fatal(err)
	}
	r, err := scenarios.Run(t.Context(), s, scenarios.Env{})
	if err != nil || r.Accounted != all {
		t.Fatal(r.Accounted, all, err)
	}
	t.Logf("%d calls in %v: the heap had %.1f MB after %d and %.1f MB after %d", all, length, mb(sizes[early]), early, mb(sizes[late]), late)
	if sizes[late] > sizes[early]+8<<20 {
		t.Errorf("the heap grew from %.1f MB to %.1f MB", mb(sizes[early]), mb(sizes[late]))
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // the first leaves what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func mb(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
